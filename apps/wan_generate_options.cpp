#include "apps/wan_generate.h"

namespace keyflow::apps {
namespace {

using enum Fate;

const std::vector<std::string> kTruths{"yes", "true", "t",    "y", "1", "no", "false", "f",     "n", "0",
                                       "Yes", "True", "TRUE", "T", "Y", "No", "False", "FALSE", "F", "N"};

ForeignOption ignored(const char* names, const char* value = "") { return {names, value, without_effect, ""}; }
ForeignOption refused_flag(const char* names, const char* way) { return {names, "", refused, way}; }
ForeignOption refused_value(const char* names, const char* way) { return {names, "VALUE", refused, way}; }

constexpr const char* kNoVace = "keyflow runs no VACE models";
constexpr const char* kNoSpeech = "keyflow runs no speech-to-video models";
constexpr const char* kNoAnimate = "keyflow runs no animate models";

ForeignGroup task_options() {
  return {"Task",
          {{"--task",
            "TASK",
            carried_out,
            "Which model it is [as its tensors say]",
            {"t2v-14B", "t2v-1.3B", "i2v-14B", "t2i-14B", "flf2v-14B", "vace-1.3B", "vace-14B", "t2v-A14B", "i2v-A14B",
             "ti2v-5B", "animate-14B", "s2v-14B"}},
           {"--ckpt_dir", "FOLDER", carried_out, "The model"},
           {"--size", "W*H", carried_out, "Of the frame, or its area with pictures [1280*720]"},
           {"--frame_num", "N", carried_out, "Frames, rounded down to 4n+1 [81]"},
           {"--save_file", "FILE", carried_out, "Result [made of task, size, prompt and time]"},
           {"-h,--help", "", carried_out, "Show this page"}}};
}

ForeignGroup input_options() {
  return {"Prompt and pictures",
          {{"--prompt", "TEXT", carried_out, "What it shows"},
           {"--image", "PICTURE", carried_out, "First frame for i2v"},
           {"--first_frame", "PICTURE", carried_out, "First frame for flf2v"},
           {"--last_frame", "PICTURE", carried_out, "Last frame for flf2v"},
           refused_flag("--use_prompt_extend", "keyflow rewrites no prompts"),
           {"--prompt_extend_method", "NAME", without_effect, "", {"local_qwen", "dashscope"}},
           ignored("--prompt_extend_model", "NAME"),
           {"--prompt_extend_target_lang", "NAME", without_effect, "", {"zh", "en"}},
           refused_value("--src_video", kNoVace),
           refused_value("--src_mask", kNoVace),
           refused_value("--src_ref_images", kNoVace),
           refused_value("--audio", kNoSpeech),
           refused_value("--pose_video", kNoSpeech),
           refused_value("--num_clip", kNoSpeech),
           refused_value("--infer_frames", kNoSpeech),
           refused_flag("--start_from_ref", kNoSpeech),
           refused_flag("--enable_tts", kNoSpeech),
           refused_value("--tts_prompt_audio", kNoSpeech),
           refused_value("--tts_prompt_text", kNoSpeech),
           refused_value("--tts_text", kNoSpeech),
           refused_value("--src_root_path", kNoAnimate),
           refused_value("--refert_num", kNoAnimate),
           refused_flag("--replace_flag", kNoAnimate),
           refused_flag("--use_relighting_lora", kNoAnimate)}};
}

ForeignGroup sampling_options() {
  return {"Sampling",
          {{"--sample_solver", "NAME", carried_out, "unipc or dpm++ [unipc]", {"unipc", "dpm++"}},
           {"--sample_steps", "N", carried_out, "Steps [50; i2v 40]"},
           {"--sample_shift", "X", carried_out, "Timestep shift [5; i2v at 480p 3; flf2v 16]"},
           {"--sample_guide_scale", "X", carried_out, "Strength of the prompt [5]"},
           {"--base_seed", "N", carried_out, "Noise seed; below 0 draws one [-1]"}}};
}

ForeignGroup machine_options() {
  return {"Machine",
          {{"--offload_model", "BOOL", without_effect, "", kTruths},
           ignored("--ulysses_size", "N"),
           ignored("--ring_size", "N"),
           ignored("--t5_fsdp"),
           ignored("--t5_cpu"),
           ignored("--dit_fsdp"),
           ignored("--convert_model_dtype")}};
}

}  // namespace

const std::vector<ForeignGroup>& wan_generate_options() {
  static const std::vector<ForeignGroup> table{task_options(), input_options(), sampling_options(), machine_options()};
  return table;
}

}  // namespace keyflow::apps
