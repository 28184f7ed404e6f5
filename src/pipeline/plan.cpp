#include "core/error.h"
#include "core/memory.h"
#include "media/picture.h"
#include "models/wan/keyframe_mask.h"
#include "pipeline/frame_size.h"
#include "pipeline/machine.h"
#include "pipeline/metadata.h"
#include "pipeline/model.h"
#include "pipeline/upscaler.h"
#include "schedulers/sampler.h"
#include "text/clean.h"

namespace keyflow::pipeline {
namespace {

/// What the settings show to be wrong without any file.
void check_arguments(const RenderSettings& settings) {
  text::require_prompt(settings.prompt);
  text::require_prompt(settings.negative);
  if (settings.sampler != "auto") schedulers::find_sampler(settings.sampler);
  if (settings.dtype != "auto") compute_from_text(settings.dtype);
  tile_from_text(settings.tiling);
  require((settings.width > 0) == (settings.height > 0), ErrorKind::usage,
          "width and height: expected both or none, found ", settings.width, "x", settings.height);
  require(settings.frames <= 0 || settings.frames % 4 == 1, ErrorKind::usage, "frames: expected 4n + 1, found ",
          settings.frames, "; nearest: ", nearest_two(settings.frames, 4, 1));
}

/// Puts the keyframes in order with real frame numbers, and refuses those that the network could not tell apart.
void place_keyframes(RenderSettings& settings) {
  auto& keyframes = settings.keyframes;
  for (auto& keyframe : keyframes) {
    if (keyframe.frame == -1) keyframe.frame = settings.frames - 1;
    require(keyframe.frame < settings.frames, ErrorKind::usage, "keyframe ", keyframe.frame,
            ": expected a frame from 0 to ", settings.frames - 1, " of ", settings.frames);
  }
  std::stable_sort(keyframes.begin(), keyframes.end(), [](const auto& a, const auto& b) { return a.frame < b.frame; });
  for (size_t i = 1; i < keyframes.size(); ++i) {
    const int64_t a = keyframes[i - 1].frame, b = keyframes[i].frame, cell = wan::latent_frame(b);
    require(a != b, ErrorKind::usage, "keyframe ", a, ": given twice, as ",
            printable(keyframes[i - 1].picture.string()), " and ", printable(keyframes[i].picture.string()));
    if (wan::latent_frame(a) != cell) continue;
    fail(ErrorKind::usage, "keyframes ", a, " and ", b, ": both lie in frames ", 4 * cell - 3, " to ", 4 * cell,
         ", which the network sees as one latent frame (frame 0 stands alone, then four to one); hint: keep one, or "
         "move "
         "one to frame ",
         4 * cell - 4, " or ", 4 * cell + 1);
  }
}

/// What a network needs to be given, segment by segment.
void check_keyframes(const ModelFacts& facts, const std::vector<Segment>& segments, const RenderSettings& settings) {
  require(facts.takes_keyframes || settings.keyframes.empty(), ErrorKind::config, facts.variant, " is a text-to-",
          facts.makes_videos ? "video" : "image", " checkpoint and takes no pictures, found ",
          settings.keyframes.size(), "; hint: an I2V or FLF2V checkpoint, or no keyframes");
  if (!facts.takes_keyframes || facts.keyframes_optional) return;
  for (const auto& segment : segments) {
    const auto has = [&](int64_t frame) {
      return std::any_of(segment.keyframes.begin(), segment.keyframes.end(),
                         [&](const auto& keyframe) { return keyframe.frame == frame; });
    };
    require(
        has(0) || segment.continues, ErrorKind::config, facts.variant,
        " is an image-to-video checkpoint: expected a picture for the first frame, found none; hint: --first PICTURE");
    if (facts.pictures.count < 2 || has(segment.frames - 1)) continue;
    const int64_t last = segment.start + segment.frames - 1;
    require(last == settings.frames - 1, ErrorKind::config, facts.variant, ": expected a keyframe at frame ", last,
            ", because a segment ends there, found none; hint: --keyframe ", last, "=PICTURE");
    fail(ErrorKind::config, facts.variant,
         " is a first-and-last-frame checkpoint: expected a picture for the last frame, found none; hint: --last "
         "PICTURE");
  }
}

/// Every segment costs a loading of the networks' share and is kept until the end; more of them are a slip of the pen.
void check_length(const RenderSettings& settings, int64_t longest) {
  constexpr int64_t most_segments = 1000;
  const int64_t most = most_segments * (longest - 1) + 1;
  require(settings.frames <= most, ErrorKind::usage, "frames: expected at most ", most, " (", most_segments,
          " segments of ", longest, "), found ", settings.frames, ", whose pictures alone need ",
          settings.frames * std::max<int64_t>(settings.width * settings.height, 1) * 3 >> 30,
          " GiB of memory, available are ", available_bytes() >> 30);
}

void read_pictures(RenderPlan& plan) {
  std::vector<std::filesystem::path> paths;
  for (const auto& keyframe : plan.settings.keyframes) paths.push_back(keyframe.picture);
  for (const auto& path : {plan.settings.init_image, plan.settings.mask}) {
    if (!path.empty()) paths.emplace_back(path);
  }
  for (const auto& path : plan.settings.control_images) paths.emplace_back(path);
  for (const auto& path : paths) {
    if (plan.pictures.count(path) > 0) continue;
    media::Picture picture = media::read_picture(path);
    if (!picture.note.empty()) plan.notes.push_back(path.string() + ": " + picture.note);
    plan.pictures[path] = std::move(picture.rgb);
  }
}

/// What the picture to start from, its mask, and several pictures at once ask for.
void check_image_task(RenderSettings& settings, const ModelFacts& facts) {
  if (settings.batch <= 0) settings.batch = 1;
  require(settings.batch == 1 || settings.frames == 1, ErrorKind::usage, "batch ", settings.batch,
          ": expected 1 for a video of ", settings.frames, " frames; hint: a run for each seed");
  require(settings.mask.empty() || !settings.init_image.empty(), ErrorKind::usage,
          "mask: expected a picture to start from beside it, found none; hint: --init-img PICTURE");
  require(settings.init_image.empty() || !facts.makes_videos, ErrorKind::config, facts.variant,
          " starts from keyframes: expected no picture to start from, found ", printable(settings.init_image, 400),
          "; hint: --first PICTURE");
  require(settings.skip_layer_start <= settings.skip_layer_stop, ErrorKind::usage, "skip_layer_start ",
          settings.skip_layer_start, ": expected at most skip_layer_stop ", settings.skip_layer_stop);
}

/// Settings that this model has no use for are not passed over.
void check_uses(const RenderSettings& settings, const Model& model) {
  const ModelFacts& facts = model.facts();
  const bool has_clip = model.networks().count(models::Part::text_encoder) > 0 ||
                        model.networks().count(models::Part::text_encoder_2) > 0;
  const auto refuse = [&](bool given, const char* setting, const char* why) {
    require(!given, ErrorKind::config, setting, ": ", facts.variant, " ", why);
  };
  refuse(settings.clip_skip > 0 && !has_clip, "clip_skip", "has no CLIP text encoder");
  refuse(settings.guidance > 0 && !facts.guidance_is_input, "guidance",
         "is not told a guidance scale; hint: --cfg-scale");
  refuse(settings.skip_layer_scale > 0 && model.skippable_layers().empty(), "skip_layer_scale",
         "knows no skip-layer guidance");
}

/// Families whose text is T5's alone, or not read word by word, have no place for learned words.
void check_embeddings(const RenderSettings& settings, const Model& model) {
  const bool takes = model.networks().count(models::Part::text_encoder) > 0 ||
                     model.networks().count(models::Part::text_encoder_2) > 0;
  require(settings.embeddings.empty() || takes, ErrorKind::config, model.facts().variant,
          " has no CLIP text encoder: expected no textual inversions, found ", settings.embeddings.size());
}

/// A first rendering at a smaller size.
void check_hires(const RenderSettings& settings, const ModelFacts& facts) {
  require((settings.hires_width > 0) == (settings.hires_height > 0), ErrorKind::usage,
          "hires_width and hires_height: expected both or none, found ", settings.hires_width, "x",
          settings.hires_height);
  if (settings.hires_width <= 0) return;
  require(!facts.makes_videos && settings.init_image.empty() && !facts.takes_masked_picture, ErrorKind::usage,
          "hires: expected a text-to-image render, found ",
          facts.makes_videos ? facts.variant : std::string("one that starts from a picture"));
  for (const auto& [name, value] :
       {std::pair{"hires_width", settings.hires_width}, {"hires_height", settings.hires_height}}) {
    require(value % facts.multiple == 0, ErrorKind::usage, name, " ", value, ": expected a multiple of ",
            facts.multiple, "; nearest: ", nearest_two(value, facts.multiple, 0));
  }
}

/// A tiny decoder that was given is meant to be used.
void choose_decoder(RenderSettings& settings, const Model& model) {
  const bool has_tiny = model.networks().count(models::Part::tiny_vae) > 0;
  require(settings.decoder != "tiny" || has_tiny, ErrorKind::config,
          "decoder tiny: expected a tiny autoencoder, found none; hint: --taesd FILE");
  if (settings.decoder != "auto") return;
  settings.decoder = has_tiny ? "tiny" : "full";
  settings.origins["decoder"] = Origin::model;
}

/// Every ControlNet has a picture, and none or as many of the rest.
void check_controls(const RenderSettings& settings, const Model& model) {
  const size_t nets = settings.control_nets.size();
  require(settings.control_images.size() == nets, ErrorKind::usage, "control_images: expected ", nets,
          nets == 1 ? " picture" : " pictures", ", one for each ControlNet, found ", settings.control_images.size(),
          "; hint: --control-net FILE --control-image PICTURE");
  require(model.control_nets().size() == nets, ErrorKind::config, model.facts().variant, " takes no ControlNet, found ",
          nets, "; hint: ControlNets go with SD 1, SD 2 and SDXL");
  for (const auto& [name, list] : {std::pair{"control_strengths", &settings.control_strengths},
                                   {"control_starts", &settings.control_starts},
                                   {"control_stops", &settings.control_stops}}) {
    require(list->size() <= 1 || list->size() == nets, ErrorKind::usage, name, ": expected one number or ", nets,
            ", found ", list->size());
  }
}

/// A picture to start from keeps its size, to the nearest multiples, unless the network would not cope with it.
FrameSize size_of_init_image(const RenderPlan& plan, int64_t area) {
  const at::Tensor& picture = plan.pictures.at(plan.settings.init_image);  // [3, H, W]
  const int64_t step = plan.model->facts().multiple;
  const auto whole = [&](int64_t side) { return std::max<int64_t>((side + step / 2) / step, 1) * step; };
  const FrameSize size{whole(picture.size(2)), whole(picture.size(1))};
  constexpr int64_t kMostAreas = 4;
  if (size.width * size.height <= kMostAreas * area) return size;
  return diffusers_frame_size({picture.size(2), picture.size(1)}, area, step);
}

/// The frame's size: as given, else after the first picture.
void choose_size(RenderPlan& plan, int64_t area) {
  RenderSettings& settings = plan.settings;
  const ModelFacts& facts = plan.model->facts();
  const bool from_picture = settings.width <= 0;
  if (from_picture && !settings.init_image.empty()) {
    const FrameSize size = size_of_init_image(plan, area);
    settings.width = size.width;
    settings.height = size.height;
    settings.origins["width"] = settings.origins["height"] = Origin::model;
  } else if (from_picture) {
    const at::Tensor& first = plan.pictures.at(settings.keyframes.front().picture);  // [3, H, W]
    const FrameSize picture{first.size(2), first.size(1)};
    const FrameSize size = settings.conventions == "official"
                               ? official_frame_size(picture, area, facts.stride, facts.multiple / facts.stride)
                               : diffusers_frame_size(picture, area, facts.multiple);
    settings.width = size.width;
    settings.height = size.height;
    settings.origins["width"] = settings.origins["height"] = Origin::model;
  }
  const auto check = [&](const char* name, int64_t value) {
    require(value % facts.multiple == 0, ErrorKind::usage, name, " ", value, ": expected a multiple of ",
            facts.multiple, "; nearest: ", nearest_two(value, facts.multiple, 0));
  };
  check("width", settings.width);
  check("height", settings.height);
  require(settings.width * settings.height <= media::kMaxPixels, ErrorKind::usage, settings.width, "x", settings.height,
          ": expected at most ", media::kMaxPixels, " pixels");
  if (settings.fit != "auto") return;
  // diffusers always stretches; the official program does where the frame has the picture's aspect anyway.
  settings.fit = from_picture || settings.conventions == "diffusers" ? "stretch" : "cover";
  settings.origins["fit"] = Origin::model;
}

}  // namespace

RenderPlan plan_render(const RenderSettings& given) {
  RenderPlan plan;
  plan.settings = given;
  RenderSettings& settings = plan.settings;
  check_arguments(settings);
  const std::shared_ptr<Model> model = open_model(settings, Need::render);
  plan.model = model;
  if (!model->parts().used_model) settings.model = "";
  if (settings.sampler == "auto") settings.origins.erase("sampler");  // asked for by name or not, it is the preset's
  for (auto& note : model->lora_notes()) plan.notes.push_back(std::move(note));
  const Habits habits = model->apply_presets(settings);
  if (settings.empty_negative == "auto") {
    settings.empty_negative = "text";
    settings.origins["empty_negative"] = Origin::model;
  }
  const ModelFacts& facts = model->facts();
  require(facts.makes_videos || settings.frames == 1, ErrorKind::config, facts.variant,
          " makes single pictures: expected 1 frame, found ", settings.frames, "; hint: keyflow image");
  check_image_task(settings, facts);
  check_hires(settings, facts);
  check_embeddings(settings, *model);
  check_uses(settings, *model);
  choose_decoder(settings, *model);
  check_controls(settings, *model);
  if (facts.takes_keyframes) check_length(settings, habits.frames);
  place_keyframes(settings);
  plan.segments = facts.takes_keyframes ? plan_segments(settings.frames, settings.keyframes, habits.frames)
                                        : std::vector<Segment>{{0, settings.frames, {}, false}};
  // Several pictures are segments of one frame each, that nothing joins.
  if (settings.batch > 1) plan.segments = std::vector<Segment>(static_cast<size_t>(settings.batch), plan.segments[0]);
  check_keyframes(facts, plan.segments, settings);
  require(!settings.prompt.empty() || !settings.keyframes.empty() || !settings.init_image.empty(), ErrorKind::usage,
          "prompt: expected a text, because no picture is given either; found an empty one");
  read_pictures(plan);
  choose_size(plan, habits.area);
  if (settings.frames > habits.frames) {
    plan.notes.push_back(plan.segments.size() > 1
                             ? c10::str(settings.frames, " frames are rendered as ", plan.segments.size(),
                                        " segments that share their border frames")
                             : c10::str(settings.frames, " frames are more than the ", habits.frames,
                                        " the network was trained for; it may repeat itself"));
  }
  fit_to_machine(plan);
  plan_upscaler(plan);
  require_expected_hashes(plan);
  return plan;
}

}  // namespace keyflow::pipeline
