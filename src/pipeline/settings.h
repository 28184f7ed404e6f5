#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace keyflow::pipeline {

/// A picture pinned to a frame. Frame -1 is the last one.
struct Keyframe {
  int64_t frame = 0;
  std::filesystem::path picture;
  std::string name;  ///< how metadata calls the picture; "" stands for the path if that is relative, else its last part
  bool operator==(const Keyframe&) const = default;
};

/// A LoRA and how strongly it acts.
struct LoraSetting {
  std::filesystem::path path;
  double weight = 1;
  double text_weight = 1;  ///< for the text encoders
  bool operator==(const LoraSetting&) const = default;
};

/// Who gave a setting its value, weakest first.
enum class Origin { builtin, model, file, metadata, command_line };
std::string_view name_of(Origin origin);

/// The limits of a number; a text field lists its allowed words, or nothing when any text will do.
struct Range {
  double least = 0, most = 0;
};
using Words = std::vector<std::string>;

/// Everything that decides the bytes of a render. A number below its range and "auto" mean "as the model's preset or
/// the machine says"; plan_render() replaces them by the value used, so that the effective settings are complete.
struct RenderSettings {
  std::string model = "mini";  ///< "mini", or a folder or file
  /// Parts that replace the model's own. Which text encoder a file is, its tensors say.
  std::string transformer, text_encoder, text_encoder_2, text_encoder_3, tokenizer, vae, tiny_vae, image_encoder;
  std::string prompt, negative;
  std::vector<Keyframe> keyframes;
  int64_t width = 0, height = 0;  ///< pixels; 0: the model's area in the first picture's aspect
  std::string fit = "auto";  ///< keyframes to the frame: "cover" and crop, or "stretch"; auto stretches where the size
                             ///< came from the first picture, as the official program does
  int64_t frames = 0;
  double fps = 0;
  int64_t steps = 0;
  std::string sampler = "auto";
  std::string conventions = "official";  ///< whose sigma lists, picture resize and CLIP preprocessing
  double shift = 0;
  std::string schedule = "model";  ///< the list of noise levels: the model's own or a name of keyflow sigmas --help
  double guidance_scale = -1;
  double guidance = -1;         ///< that a distilled network is told (FLUX.1-dev, LCM)
  double guidance_rescale = 0;  ///< share of the guided prediction that is pulled back to the unguided one's spread
  double eta = -1;              ///< share of fresh noise of stochastic samplers
  int64_t clip_skip = 0;        ///< text encoder layer, counted from the end; 0 the family's habit
  std::string prompt_syntax = "weights";  ///< "plain" takes brackets as they are
  std::vector<LoraSetting> loras;
  std::string lora_folder;              ///< where the prompt's <lora:NAME:WEIGHT> are looked for
  std::string lora_mode = "beside";     ///< "beside" the weights, or "merged" into copies of them
  std::vector<std::string> embeddings;  ///< files of learned words (textual inversion), or folders of them
  std::string empty_negative = "auto";  ///< what an empty negative prompt is: "zeros" or "text"
  std::string init_image;               ///< picture to start from
  double strength = -1;                 ///< share of the steps that is done on it
  std::string mask;                     ///< picture, white where the picture to start from is painted anew
  /// ControlNets with a picture each; strengths and shares of the steps as many, one for all, or none for 1, 0 and 1.
  std::vector<std::string> control_nets, control_images;
  std::vector<double> control_strengths, control_starts, control_stops;
  int64_t hires_width = 0, hires_height = 0;  ///< pixels of a first rendering, enlarged and rendered again; 0: none
  std::string hires_upscaler = "latent";      ///< how it is enlarged
  int64_t hires_steps = 0;                    ///< of the second rendering; 0: as the first
  double hires_strength = 0.7;                ///< share of them that is done
  int64_t batch = 0;                          ///< pictures, with seeds counted up from `seed`
  double skip_layer_scale = 0;                ///< of skip-layer guidance (SD3.5)
  std::vector<int64_t> skip_layers;           ///< which; empty: the family's
  double skip_layer_start = 0.01, skip_layer_stop = 0.2;  ///< shares of the steps between which it acts
  uint64_t seed = 42;
  std::string rng = "cpu";            ///< whose numbers the noise is: torch's CPU generator's, or its CUDA generator's
  std::string dtype = "auto";         ///< text of core/compute.h; "auto" probes the machine
  std::string decoder = "auto";       ///< "full", or "tiny" by a tiny autoencoder; auto takes the one that is there
  std::string tiling = "auto";        ///< of the VAE: "off", a tile size in pixels, or "auto" by the memory estimate
  bool color_match = false;           ///< moves each channel's mean and deviation of the video onto the keyframes'
  int64_t crf = -1;                   ///< quality of a video file, 0 best; -1: the default of its encoder
  std::string upscale;                ///< file of an upscaler that enlarges each frame before it is written; "" none
  int64_t upscale_repeats = 1;        ///< how often
  std::string upscale_tile = "auto";  ///< "off", a tile size in pixels, or "auto"

  /// Who set what; absent means Origin::builtin.
  std::map<std::string, Origin> origins;
  /// Hashes an output of these settings was made with, by part ("vae", "keyframe 0"); see settings_from_metadata.
  std::map<std::string, std::string> expected_hashes;

  /// The one list of fields: visitor(name, member, limits, meaning).
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    const Words any;
    visitor("model", self.model, any, "model: mini, a folder or a file");
    visitor("transformer", self.transformer, any, "file of the denoising network");
    visitor("text_encoder", self.text_encoder, any, "file or folder of the text encoder");
    visitor("text_encoder_2", self.text_encoder_2, any, "file or folder of the second text encoder");
    visitor("text_encoder_3", self.text_encoder_3, any, "file or folder of the third text encoder");
    visitor("tokenizer", self.tokenizer, any, "spiece.model, tokenizer.json or the folder of one");
    visitor("vae", self.vae, any, "file or folder of the VAE");
    visitor("tiny_vae", self.tiny_vae, any, "file or folder of a tiny autoencoder");
    visitor("image_encoder", self.image_encoder, any, "file or folder of the picture encoder");
    visitor("prompt", self.prompt, any, "what the video shows");
    visitor("negative", self.negative, any, "what it shall not show");
    visitor("keyframes", self.keyframes, any, "pictures pinned to frames");
    visitor("width", self.width, Range{1, 65535}, "frame width in pixels");
    visitor("height", self.height, Range{1, 65535}, "frame height in pixels");
    visitor("fit", self.fit, Words{"auto", "cover", "stretch"}, "keyframes to the frame: cover and crop, or stretch");
    visitor("frames", self.frames, Range{1, 1e9}, "number of frames");
    visitor("fps", self.fps, Range{0.01, 1000}, "frames per second");
    visitor("steps", self.steps, Range{1, 10000}, "sampling steps");
    visitor("sampler", self.sampler, any, "sampler: auto or a name of keyflow sigmas --help");
    visitor("conventions", self.conventions, Words{"official", "diffusers"}, "whose sigma lists and preprocessing");
    visitor("shift", self.shift, Range{0.001, 1000}, "timestep shift of the schedule");
    visitor("guidance_scale", self.guidance_scale, Range{0, 1000}, "strength of the prompt; 1 switches guidance off");
    visitor("schedule", self.schedule, any, "list of noise levels: model (its own) or a name of keyflow sigmas --help");
    visitor("guidance", self.guidance, Range{0, 1000}, "guidance scale that a distilled network is told");
    visitor("guidance_rescale", self.guidance_rescale, Range{0, 1}, "share pulled back to the unguided spread");
    visitor("eta", self.eta, Range{0, 1}, "share of fresh noise of stochastic samplers");
    visitor("clip_skip", self.clip_skip, Range{0, 100}, "text encoder layer from the end; 0 the family's habit");
    visitor("prompt_syntax", self.prompt_syntax, Words{"weights", "plain"}, "(word:1.2) and the like, or plain text");
    visitor("embeddings", self.embeddings, any, "files or folders of textual inversions");
    visitor("loras", self.loras, any, "LoRA files with their weights");
    visitor("lora_folder", self.lora_folder, any, "folder of the LoRAs that the prompt names");
    visitor("lora_mode", self.lora_mode, Words{"beside", "merged"}, "LoRAs beside the weights or merged into copies");
    visitor("empty_negative", self.empty_negative, Words{"auto", "zeros", "text"}, "what an empty negative prompt is");
    visitor("init_image", self.init_image, any, "picture to start from");
    visitor("strength", self.strength, Range{0, 1}, "share of the steps that is done on it");
    visitor("mask", self.mask, any, "picture, white where the picture to start from is painted anew");
    visitor("batch", self.batch, Range{1, 10000}, "pictures, with seeds counted up");
    visitor("skip_layer_scale", self.skip_layer_scale, Range{0, 1000}, "strength of skip-layer guidance");
    visitor("skip_layers", self.skip_layers, Range{0, 1000}, "layers that it leaves out");
    visitor("skip_layer_start", self.skip_layer_start, Range{0, 1}, "share of the steps after which it begins");
    visitor("skip_layer_stop", self.skip_layer_stop, Range{0, 1}, "share of the steps at which it ends");
    visitor("control_nets", self.control_nets, any, "files or folders of ControlNets");
    visitor("control_images", self.control_images, any, "a picture for each ControlNet");
    visitor("control_strengths", self.control_strengths, Range{0, 10}, "strength of each ControlNet");
    visitor("control_starts", self.control_starts, Range{0, 1}, "share of the steps after which each begins");
    visitor("control_stops", self.control_stops, Range{0, 1}, "share of the steps after which each ends");
    visitor("hires_width", self.hires_width, Range{1, 65535}, "width of a first, smaller rendering");
    visitor("hires_height", self.hires_height, Range{1, 65535}, "height of a first, smaller rendering");
    visitor("hires_upscaler", self.hires_upscaler, Words{"latent", "latent-nearest", "latent-bicubic", "lanczos"},
            "how it is enlarged");
    visitor("hires_steps", self.hires_steps, Range{1, 10000}, "steps of the second rendering");
    visitor("hires_strength", self.hires_strength, Range{0, 1}, "share of them that is done");
    visitor("seed", self.seed, Range{0, 18446744073709551615.0}, "seed of the noise");
    visitor("rng", self.rng, Words{"cpu", "cuda"}, "torch generator that the noise is drawn as");
    visitor("dtype", self.dtype, any, "arithmetic: auto, fp32, bf16, fp16 or CLASS=TYPE pairs");
    visitor("decoder", self.decoder, Words{"auto", "full", "tiny"}, "what makes pixels: the VAE or a tiny one");
    visitor("tiling", self.tiling, any, "VAE tiles: auto, off or a size in pixels");
    visitor("color_match", self.color_match, any, "match the colours of the video to the keyframes");
    visitor("crf", self.crf, Range{-1, 63}, "quality of a video file, 0 best; -1 as its encoder likes");
    visitor("upscale", self.upscale, any, "file of an upscaler for the frames");
    visitor("upscale_repeats", self.upscale_repeats, Range{1, 4}, "how often the upscaler enlarges a frame");
    visitor("upscale_tile", self.upscale_tile, any, "upscaler's tiles: auto, off or a size in pixels");
  }
};

/// One line of --print-config.
struct SettingLine {
  std::string name, value;
  Origin origin;
};
std::vector<SettingLine> describe(const RenderSettings& settings);

/// Sets one field from text, the whole of it, in its range: "50" for steps, "8=mid.png" to append a keyframe.
/// `shown_as` is the name used in errors ("--steps"). Throws Error::usage: field, value, expected form.
void assign(RenderSettings& settings, const std::string& field, std::string_view text, Origin origin,
            const std::string& shown_as);

/// Sets the fields of a JSON object; a key that is no field, a wrong type or a value out of range throws Error::config
/// with `where` and the nearest field name. Fields already set by a stronger origin keep their value.
void apply_json(RenderSettings& settings, const nlohmann::json& object, Origin origin, const std::string& where);

/// All fields that are set, for apply_json; pictures and parts by their paths.
nlohmann::json to_json(const RenderSettings& settings);

/// The names of all fields.
std::vector<std::string> setting_names();

}  // namespace keyflow::pipeline
