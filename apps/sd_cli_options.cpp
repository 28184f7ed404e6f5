#include "apps/sd_cli.h"

namespace keyflow::apps {
namespace {

using enum Fate;
using enum Repeat;

ForeignOption ignored(const char* names, const char* value = "") { return {names, value, without_effect, ""}; }
ForeignOption refused_flag(const char* names, const char* way) { return {names, "", refused, way}; }
ForeignOption refused_value(const char* names, const char* way) { return {names, "VALUE", refused, way}; }

constexpr const char* kNoSuchModel = "keyflow knows no such model";
constexpr const char* kNoDetailer = "keyflow repairs no faces; hint: -i PICTURE --mask PICTURE paints a part anew";
constexpr const char* kOwnOverlap = "keyflow's tiles overlap by a width of their own";

ForeignGroup run_options() {
  return {"Run and files",
          {{"-M,--mode",
            "MODE",
            carried_out,
            "What to do [img_gen]",
            {"img_gen", "vid_gen", "upscale", "convert", "metadata", "adetailer"}},
           {"-o,--output", "FILE", carried_out, "Result; %d or %03d numbers pictures [output.png]"},
           {"--output-begin-idx", "N", carried_out, "First number of a sequence, only 0 [0]"},
           {"--preview", "KIND", carried_out, "Pictures on the way [none]", {"none", "proj", "tae", "vae"}},
           {"--preview-path", "FILE", carried_out, "Where to [preview.png]"},
           {"--preview-interval", "N", carried_out, "Every so many steps [1]"},
           refused_flag("--preview-noisy", "keyflow's previews show the denoised estimate"),
           {"--taesd-preview-only", "", carried_out, "The result comes from the full VAE all the same"},
           {"--image", "PICTURE", carried_out, "What -M metadata reads"},
           {"--metadata-format", "KIND", carried_out, "Form of what it prints [text]", {"text", "json"}},
           ignored("--metadata-raw"),
           ignored("--metadata-brief"),
           ignored("--metadata-all"),
           refused_flag("--disable-image-metadata", "keyflow's files always hold their settings"),
           refused_value("--imat-in", "keyflow converts without an importance matrix; hint: leave it out"),
           refused_value("--imat-out", "keyflow collects no importance matrix"),
           refused_flag("--convert-name", "keyflow convert keeps the names of tensors"),
           refused_flag("--canny", "keyflow finds no edges; hint: a --control-image that shows them"),
           {"-v,--verbose", "", carried_out, "Say more"},
           ignored("--color"),
           {"-h,--help", "", carried_out, "Show this page"},
           {"--version", "", carried_out, "Show the build"},
           {"--list-devices", "", carried_out, "Show what can compute"}}};
}

ForeignGroup model_file_options() {
  return {
      "Model files",
      {{"-m,--model", "MODEL", carried_out, "Whole checkpoint"},
       {"--diffusion-model", "FILE", carried_out, "Denoising network"},
       refused_value("--high-noise-diffusion-model", "keyflow runs no Wan 2.2 pair of experts"),
       refused_value("--uncond-diffusion-model", "keyflow takes one denoising network for both prompts"),
       {"--clip_l", "FILE", carried_out, "CLIP text encoder"},
       {"--clip_g", "FILE", carried_out, "Second CLIP text encoder"},
       {"--clip_vision", "FILE", carried_out, "Picture encoder"},
       {"--t5xxl", "FILE", carried_out, "T5 text encoder, umT5 for Wan"},
       refused_value("--llm,--qwen2vl", kNoSuchModel),
       refused_value("--llm_vision,--qwen2vl_vision", kNoSuchModel),
       {"--vae", "FILE", carried_out, "VAE"},
       {"--vae-format", "KIND", without_effect, "", {"auto", "flux", "sd3", "flux2", "wan"}},
       refused_value("--audio-vae", kNoSuchModel),
       refused_value("--embeddings-connectors", kNoSuchModel),
       {"--tae,--taesd", "FILE", carried_out, "Tiny decoder"},
       {"--control-net", "FILE", carried_out, "ControlNet"},
       refused_value("--ip-adapter", kNoSuchModel),
       refused_value("--motion-module", kNoSuchModel),
       refused_value("--photo-maker", kNoSuchModel),
       refused_value("--pulid-weights", kNoSuchModel),
       {"--embd-dir", "FOLDER", carried_out, "Textual inversions, by the names of their files"},
       {"--lora-model-dir", "FOLDER", carried_out, "Where <lora:NAME:W> of the prompt looks [.]"},
       ignored("--hires-upscalers-dir", "FOLDER"),
       {"--upscale-model", "FILE", carried_out, "Enlarges the result, or what -M upscale reads"},
       {"--model-args", "K=V", refused, "it is for models that keyflow does not know", {}, joined_by_comma},
       {"--type", "TYPE", carried_out, "f32, f16 or bf16; with -M convert any type"},
       {"--tensor-type-rules", "REGEX=TYPE", carried_out, "Types for -M convert", {}, joined_by_comma},
       refused_value("--prediction", "keyflow reads it off the model; hint: a folder with its scheduler_config.json"),
       {"--lora-apply-mode", "MODE", without_effect, "", {"auto", "immediately", "at_runtime"}},
       {"--rng", "NAME", carried_out, "Whose noise: cuda or cpu [cuda]", {"std_default", "cuda", "cpu"}},
       {"--sampler-rng", "NAME", carried_out, "The same one [--rng]", {"std_default", "cuda", "cpu"}},
       ignored("--force-sdxl-vae-conv-scale")}};
}

ForeignGroup runtime_options() {
  return {"Runtime",
          {{"-t,--threads", "N", carried_out, "Processor threads [-1: all cores]"},
           ignored("--backend", "LIST"),
           ignored("--params-backend", "LIST"),
           ignored("--split-mode", "LIST"),
           ignored("--rpc-servers", "LIST"),
           ignored("--max-vram", "LIST"),
           ignored("--stream-layers"),
           ignored("--eager-load"),
           ignored("--auto-fit"),
           ignored("--offload-to-cpu"),
           ignored("--mmap"),
           ignored("--fa"),
           ignored("--diffusion-fa"),
           ignored("--diffusion-conv-direct"),
           ignored("--vae-conv-direct"),
           ignored("--clip-on-cpu"),
           ignored("--vae-on-cpu"),
           ignored("--control-net-cpu")}};
}

ForeignGroup input_options() {
  return {"Prompt and pictures",
          {{"-p,--prompt", "TEXT", carried_out, "What it shows"},
           {"--prompt-file", "FILE", carried_out, "The same from a file"},
           {"-n,--negative-prompt", "TEXT", carried_out, "What it shall not show [\"\"]"},
           {"--negative-prompt-file", "FILE", carried_out, "The same from a file"},
           {"-i,--init-img", "PICTURE", carried_out, "Picture to start from, first frame of a video"},
           {"--end-img", "PICTURE", carried_out, "Last frame of a video"},
           {"--mask", "PICTURE", carried_out, "White is painted anew"},
           {"--control-image", "PICTURE", carried_out, "What the ControlNet reads"},
           refused_value("--control-video", "keyflow's ControlNets read one picture"),
           refused_value("--ip-adapter-image", kNoSuchModel),
           {"-r,--ref-image", "PICTURE", refused, kNoSuchModel, {}, list},
           {"--ref-image-args", "K=V", refused, kNoSuchModel, {}, joined_by_comma},
           refused_flag("--increase-ref-index", kNoSuchModel),
           refused_flag("--disable-auto-resize-ref-image", kNoSuchModel),
           {"--ref-video", "FOLDER", refused, kNoSuchModel, {}, list},
           {"--ref-video-audio", "FILE", refused, kNoSuchModel, {}, list},
           {"--ref-audio", "FILE", refused, kNoSuchModel, {}, list},
           {"--strength", "X", carried_out, "How far it leaves the picture, 0 to 1 [.75]"},
           {"--control-strength", "X", carried_out, "Of the ControlNet [.9]"},
           refused_value("--ip-adapter-strength", kNoSuchModel),
           refused_value("--pm-id-images-dir", kNoSuchModel),
           refused_value("--pm-id-embed-path", kNoSuchModel),
           refused_value("--pm-style-strength", kNoSuchModel),
           refused_value("--pulid-id-embedding", kNoSuchModel),
           refused_value("--pulid-id-weight", kNoSuchModel),
           {"--clip-skip", "N", carried_out, "Text encoder layer from the end; 0 or less the model's [-1]"}}};
}

ForeignGroup sampling_options() {
  return {"Size and sampling",
          {{"-W,--width", "N", carried_out, "Pixels [the first picture's, else 512]"},
           {"-H,--height", "N", carried_out, "Pixels [the first picture's, else 512]"},
           {"--steps", "N", carried_out, "Steps [20]"},
           {"--cfg-scale", "X", carried_out, "Strength of the prompt; 1 is without guidance [7]"},
           {"--img-cfg-scale", "X", carried_out, "Only the same as --cfg-scale"},
           {"--guidance", "X", carried_out, "Scale that a distilled network is told [3.5]"},
           {"--flow-shift", "X", carried_out, "Timestep shift of flow models [by family]"},
           refused_value("--timestep-shift", "keyflow does not shift the times of NitroFusion"),
           {"--eta", "X", carried_out, "Share of fresh noise [the sampler's]"},
           {"-b,--batch-count", "N", carried_out, "Pictures, with seeds counted up [1]"},
           {"--video-frames", "N", carried_out, "Frames, rounded down to 4n+1 [1]"},
           {"--fps", "N", carried_out, "Frames per second [16]"},
           refused_value("--vace-strength", kNoSuchModel),
           refused_value("--qwen-image-layers", kNoSuchModel),
           {"-s,--seed", "N", carried_out, "Noise seed; below 0 draws one [42]"},
           {"--sampling-method", "NAME", carried_out, "euler, euler_a, dpm++2m, ... [by family]"},
           {"--scheduler", "NAME", carried_out, "discrete, karras, simple, ... [by sampler and family]"},
           refused_value("--sigmas", "keyflow takes no list of sigmas; hint: --scheduler names one"),
           {"--extra-sample-args", "K=V", refused, "keyflow's samplers take no such values", {}, joined_by_comma},
           {"--slg-scale", "X", carried_out, "Skip-layer guidance, 2.5 suits SD3.5-medium [0]"},
           {"--skip-layers", "LIST", carried_out, "Which layers [[7,8,9]]"},
           {"--skip-layer-start", "X", carried_out, "From this share of the steps [.01]"},
           {"--skip-layer-end", "X", carried_out, "To this share [.2]"},
           // Without a high-noise expert, which is refused, these do nothing there either.
           ignored("--high-noise-steps", "N"),
           ignored("--moe-boundary", "X"),
           ignored("--high-noise-cfg-scale", "X"),
           ignored("--high-noise-img-cfg-scale", "X"),
           ignored("--high-noise-guidance", "X"),
           ignored("--high-noise-slg-scale", "X"),
           ignored("--high-noise-skip-layers", "LIST"),
           ignored("--high-noise-skip-layer-start", "X"),
           ignored("--high-noise-skip-layer-end", "X"),
           ignored("--high-noise-eta", "X"),
           ignored("--high-noise-sampling-method", "NAME")}};
}

ForeignGroup tiling_options() {
  return {"Tiles, second size, enlarging",
          {{"--vae-tiling", "", carried_out, "Decode in tiles"},
           {"--vae-tile-size", "XxY", carried_out, "Of a tile, in latent positions, square [32x32]"},
           {"--vae-relative-tile-size", "XxY", carried_out, "Below 1 a share of the picture, else how many tiles"},
           refused_value("--vae-tile-overlap", kOwnOverlap),
           refused_flag("--temporal-tiling", kNoSuchModel),
           {"--extra-tiling-args", "K=V", refused, kNoSuchModel, {}, joined_by_comma},
           refused_flag("--circular", "keyflow makes no pictures whose edges meet"),
           refused_flag("--circularx", "keyflow makes no pictures whose edges meet"),
           refused_flag("--circulary", "keyflow makes no pictures whose edges meet"),
           refused_value("--cache-mode", "keyflow computes every step whole"),
           refused_value("--cache-option", "keyflow computes every step whole"),
           refused_value("--scm-mask", "keyflow computes every step whole"),
           refused_value("--scm-policy", "keyflow computes every step whole"),
           {"--hires", "", carried_out, "Enlarge and render again"},
           {"--hires-upscaler", "NAME", carried_out, "How it is enlarged [Latent]"},
           {"--hires-scale", "X", carried_out, "By how much [2]"},
           {"--hires-width", "N", carried_out, "To this width, 0 by the scale [0]"},
           {"--hires-height", "N", carried_out, "To this height, 0 by the scale [0]"},
           {"--hires-steps", "N", carried_out, "Steps of the second rendering, 0 as the first [0]"},
           {"--hires-denoising-strength", "X", carried_out, "How far it leaves the first [.7]"},
           refused_value("--hires-sigmas", "keyflow takes no list of sigmas; hint: --hires-steps"),
           refused_value("--hires-upscale-tile-size", "keyflow's second rendering enlarges without a network"),
           {"--upscale-repeats", "N", carried_out, "Its passes [1]"},
           {"--upscale-tile-size", "N", carried_out, "Its tiles in pixels [128]"},
           refused_value("--ad-model", kNoDetailer),
           refused_value("--ad-prompt", kNoDetailer),
           refused_value("--ad-negative-prompt", kNoDetailer),
           {"--extra-ad-args", "K=V", refused, kNoDetailer, {}, joined_by_comma}}};
}

}  // namespace

const std::vector<ForeignGroup>& sd_cli_options() {
  static const std::vector<ForeignGroup> table{run_options(),   model_file_options(), runtime_options(),
                                               input_options(), sampling_options(),   tiling_options()};
  return table;
}

}  // namespace keyflow::apps
