#include "pipeline/decode_phase.h"

#include "pipeline/finite.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

void decode_segments(const RenderPlan& plan, const Compute& compute, size_t first, size_t last,
                     const std::vector<at::Tensor>& latents, const std::vector<std::vector<ColourTarget>>& colours,
                     FrameWriter& writer, PhaseClock& clock) {
  clock.start(Phase::load, 1);
  const bool is_tiny = plan.settings.decoder == "tiny";
  const std::unique_ptr<Codec> codec = is_tiny ? plan.model->load_tiny_codec(compute) : plan.model->load_codec(compute);
  clock.start(Phase::decode, plan.settings.frames, plan.segments[first].start);
  for (size_t k = first; k < last; ++k) {
    writer.begin_segment(k, colours[k]);
    int64_t done = plan.segments[k].start;
    codec->decode(
        latents[k],
        [&](const at::Tensor& video) {
          require_finite(video, "decode");
          writer.write(video);
          done += video.size(2);
          clock.advance(done);
          clock.throw_if_stopped();
        },
        plan.tile);
  }
}

}  // namespace keyflow::pipeline
