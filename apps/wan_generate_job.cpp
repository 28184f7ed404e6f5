#include <algorithm>
#include <random>

#include "apps/numbers.h"
#include "apps/wan_generate.h"
#include "core/error.h"

namespace keyflow::apps {
namespace {

using pipeline::Origin;
using pipeline::RenderSettings;

/// A task that keyflow does, with generate.py's defaults for it.
struct Task {
  const char* name;
  const char* kind;  ///< as it stands in the variant's name
  const char* steps;
  const char* shift;
  int64_t frames;
};
constexpr Task kTasks[] = {{"t2v-14B", "-T2V", "50", "5", 81},
                           {"t2v-1.3B", "-T2V", "50", "5", 81},
                           {"t2i-14B", "-T2V", "50", "5", 1},
                           {"i2v-14B", "-I2V", "40", "5", 81},
                           {"flf2v-14B", "-FLF2V", "50", "16", 81}};
constexpr int64_t kSmallArea = 832 * 480;

const Task& task_of(const std::string& name) {
  std::string list;
  for (const auto& task : kTasks) {
    if (task.name == name) return task;
    list += (list.empty() ? "" : ", ") + std::string(task.name);
  }
  fail(ErrorKind::usage, "--task ", name, ": keyflow does ", list);
}

void set(RenderSettings& settings, const std::string& field, const std::string& text, const std::string& option) {
  pipeline::assign(settings, field, text, Origin::command_line, "--" + option);
}

/// "Wan2.1-I2V-14B" and "Wan I2V of width 32" alike.
bool is_kind(const std::string& variant, const Task& task) {
  const std::string kind = task.kind + 1;
  return variant.find(" " + kind) != std::string::npos || variant.find(task.kind) != std::string::npos;
}

/// The task that the model is for, in its own size where its name tells it.
const Task& task_for(const WanGenerateModel& model) {
  const bool is_small = model.variant.ends_with("-1.3B");
  for (const auto& task : kTasks) {
    const bool fits = is_kind(model.variant, task) && std::string(task.name).ends_with("1.3B") == is_small;
    if (fits && task.frames > 1) return task;
  }
  fail(ErrorKind::config, "--ckpt_dir: ", model.variant, " is no model of generate.py; hint: keyflow video");
}

void require_agreement(const Task& task, const WanGenerateModel& model) {
  const std::string name = task.name;
  const bool is_sized = model.variant.ends_with("B");
  const bool sizes_agree = !is_sized || model.variant.ends_with(name.substr(name.find('-')));
  require(is_kind(model.variant, task) && sizes_agree, ErrorKind::config, "--task ", name, ": the model is ",
          model.variant, "; hint: --task ", task_for(model).name);
}

class TaskReader {
 public:
  TaskReader(WanGenerateJob& job, const ForeignLine& line, const Task& task)
      : job_(job), settings_(job.settings), line_(line), task_(task) {}

  void read() {
    job_.task = task_.name;
    read_pictures();
    read_frames();
    set(settings_, "steps", line_.text("sample_steps", task_.steps), "sample_steps");
    const auto [width, height] = size_of_frame("--size", line_.text("size", "1280*720"));
    const bool is_small_i2v = is("i2v") && width * height == kSmallArea;
    set(settings_, "shift", line_.text("sample_shift", is_small_i2v ? "3" : task_.shift), "sample_shift");
  }

 private:
  bool is(const std::string& kind) const { return std::string(task_.name).starts_with(kind + "-"); }

  void require_picture(const char* option, bool wanted) const {
    if (wanted) {
      require(line_.has(option), ErrorKind::usage, "--", option, ": expected a picture for --task ", task_.name,
              ", found none");
    } else {
      require(!line_.has(option), ErrorKind::usage, "--", option, ": --task ", task_.name, " takes no such picture");
    }
  }

  void read_pictures() {
    require_picture("image", is("i2v"));
    require_picture("first_frame", is("flf2v"));
    require_picture("last_frame", is("flf2v"));
    for (const auto& [option, frame] : {std::pair{"image", "0="}, {"first_frame", "0="}, {"last_frame", "-1="}}) {
      if (line_.has(option)) set(settings_, "keyframes", frame + line_.text(option), option);
    }
  }

  void read_frames() {
    const int64_t asked =
        whole_number("--frame_num", line_.text("frame_num", std::to_string(task_.frames)), 1, 1'000'000'000);
    require(task_.frames > 1 || asked == 1, ErrorKind::usage, "--frame_num ", asked, ": expected 1 for --task ",
            task_.name);
    const int64_t frames = (asked - 1) / 4 * 4 + 1;
    if (frames != asked) {
      job_.notes.push_back(c10::str("--frame_num ", asked, ": rounded down to ", frames, ", which is 4n+1"));
    }
    set(settings_, "frames", std::to_string(frames), "frame_num");
  }

  WanGenerateJob& job_;
  RenderSettings& settings_;
  const ForeignLine& line_;
  const Task& task_;
};

void read_numbers(RenderSettings& settings, const ForeignLine& line) {
  for (const char* option : {"sample_steps", "ulysses_size", "ring_size"}) {
    whole_number(std::string("--") + option, line.text(option, "1"), 1, 10000);
  }
  real_number("--sample_shift", line.text("sample_shift", "5"), 0.01, 1000);
  const std::string scale = line.text("sample_guide_scale", "5");
  real_number("--sample_guide_scale", scale, 0, 1000);
  set(settings, "guidance_scale", scale, "sample_guide_scale");
  const std::string seed = line.text("base_seed", "-1");
  std::random_device device;
  const uint64_t drawn = uint64_t{device()} << 32 | device();
  const bool draws = whole_number("--base_seed", seed, INT64_MIN, INT64_MAX) < 0;
  set(settings, "seed", draws ? std::to_string(drawn) : seed, "base_seed");
  size_of_frame("--size", line.text("size", "1280*720"));
}

/// The first `count` characters of UTF-8.
std::string characters(const std::string& text, size_t count) {
  size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && count-- == 0) break;
  }
  return text.substr(0, end);
}

}  // namespace

std::vector<std::string> wan_generate_pictures(const ForeignLine& line) {
  std::vector<std::string> pictures;
  for (const char* option : {"image", "first_frame"}) {
    if (line.has(option)) pictures.push_back(line.text(option));
  }
  return pictures;
}

WanGenerateJob read_wan_generate_job(const ForeignLine& line) {
  WanGenerateJob job;
  require(line.has("ckpt_dir"), ErrorKind::usage, "keyflow wan-generate: expected --ckpt_dir, found none");
  require(line.has("prompt"), ErrorKind::usage, "keyflow wan-generate: expected --prompt, found none");
  set(job.settings, "model", line.text("ckpt_dir"), "ckpt_dir");
  set(job.settings, "prompt", line.text("prompt"), "prompt");
  set(job.settings, "sampler", line.text("sample_solver") == "dpm++" ? "dpm++2m" : "unipc", "sample_solver");
  set(job.settings, "fps", "16", "fps");
  read_numbers(job.settings, line);
  if (line.has("task")) TaskReader(job, line, task_of(line.text("task"))).read();
  return job;
}

void complete_wan_generate_job(WanGenerateJob& job, const ForeignLine& line, const WanGenerateModel& model) {
  auto size = size_of_frame("--size", line.text("size", "1280*720"));
  if (job.task.empty()) {
    TaskReader(job, line, task_for(model)).read();
    if (job.task != "t2v-14B") job.notes.push_back("the model is " + model.variant + ": taken as --task " + job.task);
  } else {
    require_agreement(task_of(job.task), model);
  }
  if (job.task == "t2v-1.3B" && !line.has("size")) {
    size = {832, 480};
    job.notes.emplace_back("--size: 832*480, because t2v-1.3B does not make 1280*720");
  }
  if (model.picture) {
    const auto frame =
        pipeline::official_frame_size(*model.picture, size.first * size.second, model.stride, model.patch);
    size = {frame.width, frame.height};
    set(job.settings, "fit", "stretch", "size");
  }
  set(job.settings, "width", std::to_string(size.first), "size");
  set(job.settings, "height", std::to_string(size.second), "size");
}

std::string wan_generate_output(const WanGenerateJob& job, const ForeignLine& line, const std::tm& now) {
  if (line.has("save_file")) return line.text("save_file");
  std::string prompt = characters(job.settings.prompt, 50), size = line.text("size", "1280*720");
  for (char& c : prompt) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (c == ' ' || c == '/' || c == '%' || is_control) c = '_';
  }
  char time[32];
  std::strftime(time, sizeof time, "%Y%m%d_%H%M%S", &now);
  return job.task + "_" + size + "_" + line.text("ulysses_size", "1") + "_" + line.text("ring_size", "1") + "_" +
         prompt + "_" + time + (job.task.starts_with("t2i") ? ".png" : ".mp4");
}

}  // namespace keyflow::apps
