#include <charconv>
#include <cmath>

#include "apps/numbers.h"
#include "apps/sd_cli.h"
#include "core/error.h"
#include "schedulers/flow_schedule.h"

namespace keyflow::apps {
namespace {

using pipeline::Origin;

/// Their word and ours, or nothing.
struct Name {
  const char* theirs;
  const char* ours;
};
constexpr Name kSamplers[] = {{"euler", "euler"},
                              {"euler_a", "euler_a"},
                              {"heun", "heun"},
                              {"dpm2", "dpm2"},
                              {"dpm++2s_a", "dpm++2s_a"},
                              {"dpm++2m", "dpm++2m"},
                              {"dpm++2mv2", nullptr},
                              {"ipndm", "ipndm"},
                              {"ipndm_v", "lms"},
                              {"lcm", "lcm"},
                              {"ddim_trailing", "ddim"},
                              {"tcd", "tcd"},
                              {"res_multistep", "res_multistep"},
                              {"res_2s", "res_2s"},
                              {"er_sde", nullptr},
                              {"euler_cfg_pp", nullptr},
                              {"euler_a_cfg_pp", nullptr},
                              {"euler_ge", nullptr},
                              {"dpm++2m_sde", "dpm++2m_sde"},
                              {"dpm++2m_sde_bt", nullptr},
                              {"lms", "lms"}};
constexpr Name kSchedules[] = {{"discrete", "discrete"},
                               {"normal", "discrete"},
                               {"karras", "karras"},
                               {"exponential", "exponential"},
                               {"ays", "ays"},
                               {"gits", nullptr},
                               {"sgm_uniform", "sgm_uniform"},
                               {"simple", "simple"},
                               {"smoothstep", "smoothstep"},
                               {"kl_optimal", "kl_optimal"},
                               {"lcm", "lcm"},
                               {"bong_tangent", nullptr},
                               {"ltx2", nullptr},
                               {"logit_normal", nullptr},
                               {"flux2", nullptr},
                               {"flux", "model"},
                               {"beta", "beta"}};
constexpr Name kUpscalers[] = {{"Latent", "latent"},
                               {"Latent (nearest)", "latent-nearest"},
                               {"Latent (bicubic)", "latent-bicubic"},
                               {"Lanczos", "lanczos"},
                               {"Latent (nearest-exact)", nullptr},
                               {"Latent (antialiased)", nullptr},
                               {"Latent (bicubic antialiased)", nullptr},
                               {"Nearest", nullptr}};

template <size_t N>
std::string ours(const Name (&names)[N], const std::string& option, const std::string& word) {
  std::vector<std::string> known;
  std::string list;
  for (const auto& name : names) {
    if (name.theirs == word) {
      require(name.ours != nullptr, ErrorKind::usage, option, " ", word, ": keyflow has no such one");
      return name.ours;
    }
    if (name.ours == nullptr) continue;
    known.emplace_back(name.theirs);
    list += (list.empty() ? "" : ", ") + known.back();
  }
  const std::string near = nearest(word, known);
  fail(ErrorKind::usage, option, ": expected one of ", list, "; found \"", printable(word), "\"",
       near.empty() ? "" : "; hint: did you mean " + near + "?");
}

int64_t rounded_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

/// The share of `steps` that is `count` of them where it is counted: schedulers::first_step cuts off the fraction of
/// the steps to do, on the flow path of those to leave out.
double share_of_steps(int64_t count, int64_t steps, bool is_flow) {
  const auto n = static_cast<double>(steps), k = static_cast<double>(count);
  double share = k / n;
  while (!is_flow && n * share < k) share = std::nextafter(share, 2.0);
  while (is_flow && n * share > k) share = std::nextafter(share, 0.0);
  return share;
}

class Completion {
 public:
  Completion(SdCliJob& job, const ForeignLine& line, const SdCliModel& model)
      : job_(job), settings_(job.settings), line_(line), model_(model) {}

  void complete() {
    choose_size();
    choose_sampler();
    choose_schedule();
    choose_guidance();
    choose_strength();
    choose_second_size();
    choose_tiles();
  }

 private:
  bool is_flow() const { return model_.family != "sd"; }
  /// UNets are given whole cells of their coarsest level, transformers whole patches.
  int64_t multiple() const { return std::max<int64_t>(model_.multiple, model_.family == "sd" ? 64 : 8); }

  void set(const std::string& field, const std::string& text, const std::string& option) {
    pipeline::assign(settings_, field, text, Origin::command_line, "--" + option);
  }
  template <class Number>
  void set_number(const std::string& field, Number value, const std::string& option) {
    char text[40];
    set(field, {text, std::to_chars(text, text + sizeof text, value).ptr}, option);
  }
  int64_t whole(const std::string& option, const char* fallback, int64_t least, int64_t most) const {
    return whole_number("--" + option, line_.text(option, fallback), least, most);
  }
  double real(const std::string& option, const char* fallback, double least, double most) const {
    return real_number("--" + option, line_.text(option, fallback), least, most);
  }

  pipeline::FrameSize aligned(pipeline::FrameSize size, const char* what) {
    const pipeline::FrameSize larger{rounded_up(size.width, multiple()), rounded_up(size.height, multiple())};
    if (!(larger == size)) {
      job_.notes.push_back(c10::str(what, " ", size.width, "x", size.height, ": rounded up to ", larger.width, "x",
                                    larger.height, ", multiples of ", multiple()));
    }
    return larger;
  }

  void choose_size() {
    pipeline::FrameSize size{whole("width", "0", 0, 65535), whole("height", "0", 0, 65535)};
    if (model_.picture && (size.width == 0 || size.height == 0)) {
      if (size.width + size.height > 0) {
        job_.notes.push_back(c10::str("takes the picture's size, ", model_.picture->width, "x", model_.picture->height,
                                      "; another one needs -W and -H"));
      }
      size = *model_.picture;
    }
    constexpr int64_t kEdge = 512;
    if (size.width == 0) size.width = kEdge;
    if (size.height == 0) size.height = kEdge;
    size = aligned(size, "size");
    set_number("width", size.width, "width");
    set_number("height", size.height, "height");
  }

  void choose_sampler() {
    sampler_ = line_.text("sampling-method", is_flow() ? "euler" : "euler_a");
    set("sampler", ours(kSamplers, "--sampling-method", sampler_), "sampling-method");
    // Ours takes some noise there on its own.
    if (sampler_ == "tcd" && !line_.has("eta")) set("eta", "0", "eta");
  }

  std::string usual_schedule() const {
    if (sampler_ == "lcm" || sampler_ == "tcd") return "lcm";
    if (sampler_ == "ddim_trailing") return "simple";
    return model_.family == "flux" ? "flux" : "discrete";
  }

  void choose_schedule() {
    const std::string name = line_.text("scheduler", usual_schedule());
    require(name != "flux" || model_.family == "flux", ErrorKind::usage,
            "--scheduler flux: expected a FLUX model, found ", model_.variant);
    set("schedule", ours(kSchedules, "--scheduler", name), "scheduler");
    const bool given = line_.has("flow-shift");
    if (given) real("flow-shift", "", 0.001, 1000);
    if (!is_flow() || name == "flux") {
      if (given) job_.asides.push_back("--flow-shift has no effect with this model and scheduler, as in sd-cli");
      // This scheduler's shift grows with the picture for every FLUX; ours leaves -schnell without.
      if (name == "flux" && !is_dev()) set_number("shift", std::exp(schedulers::dynamic_mu(tokens())), "scheduler");
      return;
    }
    const double shift = real("flow-shift",
                              model_.family == "wan"   ? "5"
                              : model_.family == "sd3" ? "3"
                              : is_dev()               ? "1.15"
                                                       : "1",
                              0.001, 1000);
    // FLUX's number is a logarithm there.
    set_number("shift", model_.family == "flux" ? std::exp(shift) : shift, "flow-shift");
  }
  bool is_dev() const { return model_.variant.find("schnell") == std::string::npos; }
  int64_t tokens() const { return settings_.width / model_.multiple * (settings_.height / model_.multiple); }

  void choose_guidance() {
    const double guidance = real("guidance", "3.5", 0, 1000);
    if (line_.has("guidance") || model_.family == "flux") set_number("guidance", guidance, "guidance");
    // An XL model sees an empty negative prompt as zeros.
    if (model_.variant == "SDXL") set("empty_negative", "zeros", "negative-prompt");
  }

  /// sd-cli does one step more than its share of them, but never more than all.
  static int64_t steps_done(int64_t steps, double strength) {
    const auto part = static_cast<int64_t>(static_cast<float>(steps) * static_cast<float>(strength));
    return std::min(part, steps - 1) + 1;
  }

  void choose_strength() {
    const double strength = real("strength", "0.75", 0, 1);
    if (settings_.init_image.empty()) return;
    set_number("strength", share_of_steps(steps_done(settings_.steps, strength), settings_.steps, is_flow()),
               "strength");
  }

  void choose_second_size() {
    const double scale = real("hires-scale", "2", 0.01, 100);
    const double strength = real("hires-denoising-strength", "0.7", 0.0001, 1);
    pipeline::FrameSize size{whole("hires-width", "0", 0, 65535), whole("hires-height", "0", 0, 65535)};
    int64_t steps = whole("hires-steps", "0", 0, 10000);
    const std::string upscaler = line_.text("hires-upscaler", "Latent");
    if (!line_.has("hires") || upscaler == "None") return;
    set("hires_upscaler", ours(kUpscalers, "--hires-upscaler", upscaler), "hires-upscaler");
    set_number("hires_width", settings_.width, "width");
    set_number("hires_height", settings_.height, "height");
    if (size.width == 0 && size.height == 0) {
      size.width = std::llround(static_cast<double>(settings_.width) * scale);
      size.height = std::llround(static_cast<double>(settings_.height) * scale);
    }
    if (size.width == 0) size.width = size.height;
    if (size.height == 0) size.height = size.width;
    size = aligned(size, "the second size");
    set_number("width", size.width, "hires-width");
    set_number("height", size.height, "hires-height");
    // The list is made longer, so that the share of it that is done has the steps asked for.
    if (steps == 0) steps = settings_.steps;
    steps = std::max<int64_t>(1, static_cast<int64_t>(static_cast<float>(steps) / static_cast<float>(strength)));
    set_number("hires_steps", steps, "hires-steps");
    set_number("hires_strength", share_of_steps(steps_done(steps, strength), steps, is_flow()),
               "hires-denoising-strength");
  }

  /// "32" or "32x32" as one edge.
  double tile_edge(const std::string& option, const char* fallback, double least, double most) const {
    const std::string text = line_.text(option, fallback);
    const size_t cross = text.find('x');
    const double x = real_number("--" + option, text.substr(0, cross), least, most);
    const double y = cross == std::string::npos ? x : real_number("--" + option, text.substr(cross + 1), least, most);
    require(x == y, ErrorKind::usage, "--", option, ": expected square tiles, such as 32x32, found \"", printable(text),
            "\"");
    return x;
  }

  void choose_tiles() {
    double edge = tile_edge("vae-tile-size", "32x32", 1, 65535) * static_cast<double>(model_.stride);  // pixels
    const double relative = tile_edge("vae-relative-tile-size", "0", 0, 65535);
    const auto longer = static_cast<double>(std::max(settings_.width, settings_.height));
    if (relative > 0) edge = relative < 1 ? relative * longer : longer / relative;
    if (!line_.has("vae-tiling")) return;
    const int64_t step = model_.stride * 8;
    constexpr int64_t kLeast = 128;  // that keyflow's tiles may be
    set_number("tiling", std::max(kLeast, rounded_up(static_cast<int64_t>(edge), step)), "vae-tiling");
  }

  SdCliJob& job_;
  pipeline::RenderSettings& settings_;
  const ForeignLine& line_;
  const SdCliModel& model_;
  std::string sampler_;  ///< their word
};

}  // namespace

void complete_sd_cli_job(SdCliJob& job, const ForeignLine& line, const SdCliModel& model) {
  Completion(job, line, model).complete();
}

}  // namespace keyflow::apps
