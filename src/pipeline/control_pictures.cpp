#include "pipeline/control_pictures.h"

#include "pipeline/keyframes.h"

namespace keyflow::pipeline {
namespace {

/// Number `index` of a list that may hold one for all, or none for the usual one.
double entry(const std::vector<double>& list, size_t index, double usual) {
  if (list.empty()) return usual;
  return list.size() == 1 ? list[0] : list[index];
}

}  // namespace

std::vector<ControlPicture> control_pictures(const RenderPlan& plan, int64_t width, int64_t height) {
  const RenderSettings& settings = plan.settings;
  std::vector<ControlPicture> controls;
  for (size_t i = 0; i < settings.control_images.size(); ++i) {
    const at::Tensor& rgb = plan.pictures.at(settings.control_images[i]);
    RenderSettings sized = settings;
    sized.width = width;
    sized.height = height;
    const at::Tensor fitted = fit_keyframe(rgb, rgb, sized);
    controls.push_back({((fitted + 1) / 2).clamp(0, 1).unsqueeze(0), entry(settings.control_strengths, i, 1),
                        entry(settings.control_starts, i, 0), entry(settings.control_stops, i, 1)});
  }
  return controls;
}

}  // namespace keyflow::pipeline
