#include "schedulers/scheduler_config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/fields.h"
#include "core/json.h"

namespace keyflow::schedulers {
namespace {

/// A class of diffusers, the sampler it is, and the values that its missing keys stand for.
struct SchedulerClass {
  std::string_view name, sampler;
  bool flow_match = false;
  double first_beta = 0.0001, last_beta = 0.02;
  BetaLaw law = BetaLaw::linear;
  bool clips = false;  ///< clip_sample when the key is missing
};

constexpr std::array kClasses{
    SchedulerClass{"PNDMScheduler", "pndm"},
    SchedulerClass{.name = "DDIMScheduler", .sampler = "ddim", .clips = true},
    SchedulerClass{"EulerDiscreteScheduler", "euler"},
    SchedulerClass{"EulerAncestralDiscreteScheduler", "euler_a"},
    SchedulerClass{"HeunDiscreteScheduler", "heun", false, 0.00085, 0.012},
    SchedulerClass{"KDPM2DiscreteScheduler", "dpm2", false, 0.00085, 0.012},
    SchedulerClass{"KDPM2AncestralDiscreteScheduler", "dpm2_a", false, 0.00085, 0.012},
    SchedulerClass{"LMSDiscreteScheduler", "lms"},
    SchedulerClass{"DPMSolverMultistepScheduler", "dpm++2m"},
    SchedulerClass{"UniPCMultistepScheduler", "unipc"},
    SchedulerClass{"LCMScheduler", "lcm", false, 0.00085, 0.012, BetaLaw::scaled_linear},
    SchedulerClass{"TCDScheduler", "tcd", false, 0.00085, 0.012, BetaLaw::scaled_linear},
    SchedulerClass{"FlowMatchEulerDiscreteScheduler", "euler", true},
    SchedulerClass{"FlowMatchHeunDiscreteScheduler", "heun", true},
    SchedulerClass{"FlowMatchLCMScheduler", "lcm", true},
};

/// Reads one file into a ModelSchedule.
class Reader {
 public:
  Reader(const nlohmann::json& json, const std::string& where) : fields_(json, where), json_(json), where_(where) {}

  ModelSchedule read() {
    kind_ = &class_of();
    model_.sampler = kind_->sampler;
    read_what_all_share();
    read_flow();
    read_betas();
    read_list();
    read_solver();
    refuse_what_pixels_need();
    fields_.finish();
    return model_;
  }

 private:
  const SchedulerClass& class_of() {
    std::string name;
    require(fields_.read("_class_name", name), ErrorKind::config, where_, ": _class_name: expected a scheduler of ",
            "diffusers, found nothing");
    std::vector<std::string> names;
    for (const auto& known : kClasses) {
      if (known.name == name) return known;
      names.emplace_back(known.name);
    }
    const auto near = nearest(name, names);
    std::string all;
    for (const auto& known : names) all += (all.empty() ? "" : ", ") + known;
    fail(ErrorKind::unsupported, where_, ": _class_name: expected one of ", all, "; found ", printable(name),
         near.empty() ? "" : "; hint: " + near);
  }

  /// Like JsonFields::read, with null as absent.
  template <class T>
  bool read(const char* key, T& value) {
    return !fields_.is_null(key) && fields_.read(key, value);
  }

  bool flag(const char* key, bool usual = false) {
    read(key, usual);
    return usual;
  }

  template <class T>
  bool read_word(const char* key, const std::vector<std::pair<std::string, T>>& words, T& value) {
    std::string text;
    if (!read(key, text)) return false;
    std::string all;
    for (const auto& [word, meaning] : words) {
      all += (all.empty() ? "" : ", ") + word;
      if (word != text) continue;
      value = meaning;
      return true;
    }
    fail(ErrorKind::config, where_, ": ", key, ": expected one of ", all, "; found ", printable(text));
  }

  void read_what_all_share() {
    for (const auto& [key, value] : json_.items()) {
      if (key.starts_with("_")) fields_.skip(key);
    }
    fields_.expect("num_train_timesteps", {1000});
    if (kind_->flow_match) model_.prediction = Prediction::flow;
    read_word<Prediction>("prediction_type",
                          {{"epsilon", Prediction::epsilon},
                           {"v_prediction", Prediction::velocity},
                           {"sample", Prediction::sample},
                           {"flow_prediction", Prediction::flow}},
                          model_.prediction);
    require(!kind_->flow_match || model_.is_flow(), ErrorKind::config, where_,
            ": prediction_type: expected flow_prediction or nothing in a flow-matching scheduler");
    for (const auto& [key, law] :
         {std::pair{"use_karras_sigmas", Spacing::karras}, std::pair{"use_exponential_sigmas", Spacing::exponential},
          std::pair{"use_beta_sigmas", Spacing::beta}}) {
      if (flag(key)) model_.spacing = law;
    }
  }

  void read_flow() {
    const bool flow_sigmas = flag("use_flow_sigmas");
    require(kind_->flow_match || flow_sigmas == model_.is_flow(), ErrorKind::config, where_,
            ": expected use_flow_sigmas and prediction_type flow_prediction together, found one of them");
    read("shift", model_.shift);
    if (!kind_->flow_match) read("flow_shift", model_.shift);
    fields_.skip("flow_shift");
    if (flow_sigmas) {
      require(kind_->sampler == "unipc" || kind_->sampler == "dpm++2m", ErrorKind::config, where_,
              ": use_flow_sigmas: expected UniPC or DPMSolverMultistep, found ", kind_->name);
      model_.flow_kind = kind_->sampler == "unipc" ? FlowKind::diffusers_unipc : FlowKind::diffusers_dpm;
    }
    DynamicShift law = DynamicShift::exponential;
    read_word<DynamicShift>("time_shift_type",
                            {{"exponential", DynamicShift::exponential}, {"linear", DynamicShift::linear}}, law);
    if (flag("use_dynamic_shifting")) model_.dynamic = law;
    read("base_shift", model_.base_shift);
    read("max_shift", model_.max_shift);
    read("base_image_seq_len", model_.base_tokens);
    read("max_image_seq_len", model_.max_tokens);
    double terminal = 0.0;
    // diffusers reads 0 as absent.
    if (read("shift_terminal", terminal) && terminal != 0) model_.shift_terminal = terminal;
    if (flag("stochastic_sampling") && model_.sampler == "euler") model_.sampler = "lcm";
    fields_.expect("invert_sigmas", {false, nullptr});
    fields_.expect("scale_factors", {nullptr});
    fields_.skip("upscale_mode");
  }

  void read_betas() {
    model_.betas = {kind_->law, kind_->first_beta, kind_->last_beta, flag("rescale_betas_zero_snr")};
    read("beta_start", model_.betas.first);
    read("beta_end", model_.betas.last);
    read_word<BetaLaw>("beta_schedule",
                       {{"linear", BetaLaw::linear},
                        {"scaled_linear", BetaLaw::scaled_linear},
                        {"squaredcos_cap_v2", BetaLaw::squaredcos}},
                       model_.betas.law);
    fields_.expect("trained_betas", {nullptr});
  }

  void read_list() {
    TimeSpacing times{};
    if (read_word<TimeSpacing>("timestep_spacing",
                               {{"leading", TimeSpacing::leading},
                                {"linspace", TimeSpacing::linspace},
                                {"trailing", TimeSpacing::trailing}},
                               times)) {
      model_.times = times;
    }
    read("steps_offset", model_.steps_offset);
    bool to_one = false;
    if (read("set_alpha_to_one", to_one)) model_.set_alpha_to_one = to_one;
    read_word<bool>("final_sigmas_type", {{"zero", true}, {"sigma_min", false}}, model_.end_at_zero);
    read_word<bool>("interpolation_type", {{"linear", false}, {"log_linear", true}}, model_.log_linear);
    read("original_inference_steps", model_.distillation_steps);
    fields_.expect("timestep_scaling", {10.0, nullptr});
    fields_.expect("timestep_type", {"discrete", nullptr});
    for (const char* key : {"sigma_min", "sigma_max", "use_lu_lambdas"}) fields_.expect(key, {false, nullptr});
    fields_.skip("lambda_min_clipped");
    if (kind_->sampler != "pndm") fields_.skip("skip_prk_steps");
    require(kind_->sampler != "pndm" || flag("skip_prk_steps"), ErrorKind::unsupported, where_,
            ": skip_prk_steps: expected true (PLMS), found false or nothing; hint: --sampler ddim, or set it to true");
  }

  void read_solver() {
    int64_t order = 2;
    read("solver_order", order);
    const bool is_dpm = kind_->sampler == "dpm++2m";
    std::string type;
    read("solver_type", type);
    bool stochastic = false;
    if (is_dpm) {
      read_word<bool>("algorithm_type", {{"dpmsolver++", false}, {"sde-dpmsolver++", true}}, stochastic);
      require(order == 2 || order == 3, ErrorKind::unsupported, where_, ": solver_order: expected 2 or 3, found ",
              order);
      model_.sampler = std::string(order == 3 ? "dpm++3m" : "dpm++2m") + (stochastic ? "_sde" : "");
      if (type == "heun") model_.dpm = DpmVariant::heun;
    }
    fields_.skip("algorithm_type");
    if (kind_->sampler == "unipc") {
      model_.order = order;
      if (type == "bh1") model_.unipc = UniPcVariant::bh1;
      fields_.expect("predict_x0", {true});
      fields_.expect("solver_p", {nullptr});
      read("disable_corrector", model_.disable_corrector);
    }
    // Leftovers of other classes, and keys that a last sigma of 0 leaves without influence.
    for (const char* key :
         {"predict_x0", "solver_p", "disable_corrector", "lower_order_final", "euler_at_final", "variance_type"}) {
      fields_.skip(key);
    }
  }

  /// Clipping to +-1 is for models of pixels; every model of keyflow works on latents.
  void refuse_what_pixels_need() {
    const bool has_clip =
        kind_->sampler == "ddim" || kind_->sampler == "lcm" || kind_->sampler == "tcd" || kind_->sampler == "heun";
    const bool clips = flag("clip_sample", kind_->clips);
    require(!has_clip || !clips, ErrorKind::unsupported, where_,
            ": clip_sample: expected false for a model of latents, found true (the default of ", kind_->name,
            "); hint: set it to false");
    fields_.expect("thresholding", {false, nullptr});
    for (const char* key : {"clip_sample_range", "sample_max_value", "dynamic_thresholding_ratio"}) fields_.skip(key);
  }

  JsonFields fields_;
  const nlohmann::json& json_;
  const std::string& where_;
  const SchedulerClass* kind_ = nullptr;
  ModelSchedule model_;
};

}  // namespace

ModelSchedule model_schedule_from_json(const nlohmann::json& json, const std::string& where) {
  return Reader(json, where).read();
}

ModelSchedule read_scheduler_config(const std::filesystem::path& path) {
  return model_schedule_from_json(read_python_json(path), printable(path.string(), 400));
}

}  // namespace keyflow::schedulers
