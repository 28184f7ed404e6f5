#include "apps/render_options.h"

#include <algorithm>

#include "schedulers/model_schedule.h"
#include "schedulers/sampler.h"

namespace keyflow::apps {

OptionGroup prompt_options() {
  return {"Prompt",
          {{"-p,--prompt", "TEXT", "What it shows; - reads standard input"},
           {"--prompt-file", "FILE", "Take the prompt from a file"},
           {"-n,--negative,--negative-prompt", "TEXT", "What it shall not show [the model's]"}}};
}

OptionGroup image_prompt_options() {
  OptionGroup group = prompt_options();
  group.options.push_back(
      {"--embd-dir,--embedding", "PATH", "Textual inversion, or a folder of them; repeat", {}, true});
  group.options.push_back({"--plain-prompt", "", "Take (word:1.2), [word] and BREAK as they are"});
  group.options.push_back({"--clip-skip", "N", "Text encoder layer from the end; 1 is the last [the family's]"});
  group.options.push_back(
      {"--empty-negative", "KIND", "An empty negative prompt is zeros or text [the model's]", {"zeros", "text"}});
  return group;
}

OptionGroup start_options() {
  return {"Picture to picture",
          {{"-i,--init-img", "PICTURE", "Start from a picture; without a size it keeps its own"},
           {"--strength", "X", "Share of the steps that is done on it, 0 to 1 [.75; with a mask 1]"},
           {"--mask", "PICTURE", "White: painted anew; black keeps every bit"},
           {"-b,--batch-count,--batch", "N", "Pictures, with seeds counted up [1]"}}};
}

OptionGroup lora_options() {
  return {"LoRA",
          {{"--lora", "FILE[:W[:T]]", "A LoRA with its weight, and one for text encoders; repeat for more", {}, true},
           {"--lora-model-dir,--lora-folder", "FOLDER", "Where the prompt's <lora:NAME:W> are [.]"},
           {"--lora-mode", "WAY", "beside the weights, or merged into copies of them [beside]", {"beside", "merged"}}}};
}

OptionGroup hires_options() {
  return {"Two sizes",
          {{"--hires-from", "WxH", "Render at this size first, enlarge, render again at the full one"},
           {"--hires-upscaler",
            "WAY",
            "latent, latent-nearest, latent-bicubic or lanczos (pixels) [latent]",
            {"latent", "latent-nearest", "latent-bicubic", "lanczos"}},
           {"--hires-steps", "N", "Steps of the second rendering [as the first]"},
           {"--hires-denoising-strength,--hires-strength", "X", "Share of them that is done [.7]"}}};
}

OptionGroup control_options() {
  return {"ControlNet",
          {{"--control-net", "FILE", "A ControlNet; repeat for more", {}, true},
           {"--control-image", "PICTURE", "What it reads, one for each", {}, true},
           {"--control-strength", "LIST", "Strength, one for all or each: 0.8,1 [1]"},
           {"--control-start", "LIST", "Share of the steps after which it begins [0]"},
           {"--control-end,--control-stop", "LIST", "Share of the steps after which it ends [1]"}}};
}

OptionGroup keyframe_options() {
  return {"Keyframes",
          {{"-i,--init-img,--first", "PICTURE", "First frame"},
           {"--end-img,--last", "PICTURE", "Last frame"},
           {"--keyframe", "N=PICTURE", "Frame N (from 0; -1 is the last); repeat for more", {}, true},
           {"--color-match", "", "Match the video's colours to the keyframes'"}}};
}

OptionGroup size_options() {
  return {"Size",
          {{"--size", "WxH", "Pixels, as 832x480 [the model's, in the first picture's aspect]"},
           {"-W,--width", "N", "Width alone"},
           {"-H,--height", "N", "Height alone"}}};
}

OptionGroup length_options() {
  return {"Length",
          {{"--video-frames,--frames", "N", "Frames, 4n+1 [the model's]"},
           {"--fps", "X", "Frames per second [the model's]"}}};
}

OptionGroup sampling_options() {
  auto samplers = schedulers::sampler_names();
  samplers.insert(samplers.begin(), "auto");
  auto schedules = schedulers::schedule_names();
  std::replace(schedules.begin(), schedules.end(), std::string("auto"), std::string("model"));
  return {"Sampling",
          {{"--steps", "N", "Steps [the model's]"},
           {"--sampling-method,--sampler", "NAME", "unipc, euler, dpm++2m, ... [the model's]", samplers},
           {"--scheduler,--schedule", "NAME", "karras, sgm_uniform, ... [the model's]", schedules},
           {"--flow-shift,--shift", "X", "Timestep shift [the model's]"},
           {"--guidance-scale,--cfg-scale", "X", "Strength of the prompt; 1 is without guidance [the model's]"},
           {"--guidance-rescale", "X", "Pull the guided prediction back by this share [0]"},
           {"--eta", "X", "Share of fresh noise of stochastic samplers [the sampler's]"},
           {"-s,--seed", "N", "Noise seed; random or -1 draws one [42]"},
           {"--conventions", "NAME", "official or diffusers: whose sigmas and resizing", {"official", "diffusers"}}}};
}

OptionGroup image_sampling_options() {
  OptionGroup group = sampling_options();
  group.options.push_back({"--guidance", "X", "Scale that a distilled network is told (FLUX.1-dev) [the model's]"});
  group.options.push_back({"--slg-scale,--skip-layer-scale", "X", "Skip-layer guidance (SD3.5), 2.5 suits [0]"});
  group.options.push_back({"--skip-layers", "LIST", "Which layers [7,8,9]"});
  group.options.push_back({"--skip-layer-start", "X", "From this share of the steps [.01]"});
  group.options.push_back({"--skip-layer-end,--skip-layer-stop", "X", "To this share [.2]"});
  return group;
}

OptionGroup model_options() {
  return {"Model",
          {{"-m,--model", "MODEL", "mini, a folder or a file [mini]"},
           {"--transformer,--diffusion-model", "FILE", "Another denoising network"},
           {"--clip_l,--clip-l,--text-encoder", "FILE", "Another text encoder; which one it is, its tensors say"},
           {"--clip_g,--clip-g", "FILE", "Another second CLIP text encoder"},
           {"--t5xxl", "FILE", "Another T5 text encoder (umT5 for Wan)"},
           {"--vae", "FILE", "Another VAE"},
           {"--tae,--taesd", "FILE", "A tiny autoencoder: decodes, and makes previews"},
           {"--decoder", "KIND", "What makes pixels [tiny where --taesd is given]", {"full", "tiny"}},
           {"--clip_vision,--image-encoder,--clip-vision", "FILE", "Another picture encoder"},
           {"--tokenizer", "PATH", "Another tokenizer"},
           {"--dtype", "TYPE", "fp32, bf16, fp16 or auto, which probes the machine [auto]"},
           {"--tile", "N", "VAE tile in pixels; off, or auto by free memory [auto]"},
           {"-t,--threads", "N", "Processor threads [all cores]"}}};
}

OptionGroup output_options() {
  return {"Output",
          {{"-o,--output", "FILE",
            "mp4, mov, mkv, webm, gif, webp, apng, png, jpg, %04d.png or safetensors (latents); - is standard output"},
           {"--crf", "N", "Quality of a video file, 0 best [its encoder's]"},
           {"--upscale-model,--upscale", "MODEL", "Enlarge each frame with this upscaler; see keyflow upscale"},
           {"--upscale-repeats", "N", "Passes of the upscaler, 1 to 4 [1]"},
           {"--upscale-tile-size,--upscale-tile", "N", "Its tile in pixels; off, or auto by free memory [auto]"},
           {"--keep-latents", "", "Keep the latents beside the output"},
           {"--preview", "N", "Write a quick picture every N steps"},
           {"--preview-path", "FILE", "Where to [OUTPUT.preview.png]"},
           {"--resume", "", "Continue an interrupted run with the same settings"},
           {"--checkpoint", "N", "Save the state for --resume every N steps"}}};
}

OptionGroup settings_options() {
  return {"Settings",
          {{"--config", "FILE", "Settings as JSON, under the command line"},
           {"--from-metadata", "FILE", "The settings of a file that keyflow made"},
           {"--print-config", "", "Show every effective value and its origin, render nothing"},
           {"--progress", "MODE", "auto, bar, plain or json lines [auto]", {"auto", "bar", "plain", "json"}},
           {"-v,--verbose", "", "Say more"}}};
}

}  // namespace keyflow::apps
