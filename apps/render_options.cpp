#include "apps/render_options.h"

#include "schedulers/sampler.h"

namespace keyflow::apps {

OptionGroup prompt_options() {
  return {"Prompt",
          {{"-p,--prompt", "TEXT", "What it shows; - reads standard input"},
           {"--prompt-file", "FILE", "Take the prompt from a file"},
           {"-n,--negative,--negative-prompt", "TEXT", "What it shall not show [the model's]"}}};
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
  return {"Sampling",
          {{"--steps", "N", "Steps [the model's]"},
           {"--sampling-method,--sampler", "NAME", "unipc, euler, dpm++2m, ... [the model's]", samplers},
           {"--flow-shift,--shift", "X", "Timestep shift [the model's]"},
           {"--guidance-scale,--cfg-scale", "X", "Strength of the prompt; 1 is without guidance [the model's]"},
           {"-s,--seed", "N", "Noise seed; random or -1 draws one [42]"},
           {"--conventions", "NAME", "official or diffusers: whose sigmas and resizing", {"official", "diffusers"}}}};
}

OptionGroup model_options() {
  return {"Model",
          {{"-m,--model", "MODEL", "mini, a folder or a file [mini]"},
           {"--transformer,--diffusion-model", "FILE", "Another transformer"},
           {"--text-encoder,--t5xxl", "FILE", "Another text encoder"},
           {"--vae", "FILE", "Another VAE"},
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
