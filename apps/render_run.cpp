#include "apps/render_run.h"

#include <unistd.h>

#include "apps/console.h"
#include "apps/render_options.h"
#include "core/error.h"
#include "core/files.h"
#include "pipeline/upscaler.h"

namespace keyflow::apps {
namespace {

using pipeline::OutputOptions;

void print_config(const pipeline::RenderPlan& plan) {
  std::string text;
  for (const auto& line : pipeline::describe(plan.settings)) {
    std::string name = line.name, value = printable(line.value, 2000);
    name.resize(std::max<size_t>(name.size(), 16), ' ');
    value.resize(std::max<size_t>(value.size(), 40), ' ');
    text += name + " " + value + " " + std::string(name_of(line.origin)) + "\n";
  }
  const auto& need = plan.estimate;
  text +=
      c10::str("# memory beside the mapped weights: text ", bytes_text(need.text), ", image ", bytes_text(need.image),
               ", denoise ", bytes_text(need.denoise), ", decode ", bytes_text(need.decode), "\n");
  print(text);
}

/// A folder of our own for an output that goes to standard output, gone with this object.
class PipedOutput {
 public:
  explicit PipedOutput(const std::string& extension) {
    require(!output_is_terminal(), ErrorKind::usage,
            "--output -: standard output is a terminal; expected a pipe or a file");
    std::string name = (std::filesystem::temp_directory_path() / "keyflow-XXXXXX").string();
    require(::mkdtemp(name.data()), ErrorKind::io, name, ": cannot make a folder for the output");
    folder_ = name;
    path_ = folder_ / ("out" + extension);
  }
  ~PipedOutput() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  PipedOutput(const PipedOutput&) = delete;
  PipedOutput& operator=(const PipedOutput&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void send() const {
    const auto file = MappedFile::open(path_);
    print({reinterpret_cast<const char*>(file->data()), file->size()});
  }

 private:
  std::filesystem::path folder_, path_;
};

std::string text_about(const pipeline::RenderPlan& plan) {
  const auto& settings = plan.settings;
  std::string text = c10::str(settings.width, "x", settings.height);
  if (plan.upscaler) text += c10::str(" enlarged by ", plan.upscaler->variant);
  if (settings.frames > 1) text += c10::str(", ", settings.frames, " frames at ", settings.fps, " fps");
  return text + c10::str(", seed ", settings.seed);
}

}  // namespace

int run_work(const Arguments& arguments, int64_t frames, const std::string& extension, const std::string& about,
             const Work& work) {
  std::optional<PipedOutput> pipe;
  Arguments effective = arguments;
  if (arguments.text("output") == "-") {
    pipe.emplace(extension);
    effective.add("output", pipe->path().string());
  }
  const OutputOptions output = output_from(effective, frames);
  std::filesystem::path preview = arguments.text("preview-path");
  if (preview.empty()) preview = output.path.string() + ".preview.png";
  if (output.preview_every > 0) require_writable(preview);
  Progress progress(progress_style(arguments.text("progress", "auto")), arguments.has("verbose"), preview);
  pipeline::RenderResult result = work(output, progress);
  if (pipe) {
    pipe->send();
    result.outputs = {"standard output"};
  }
  progress.finish(result, about);
  return 0;
}

int run_render(const Arguments& arguments, const pipeline::RenderSettings& settings, bool several_frames) {
  set_threads(arguments);
  const int64_t frames = several_frames ? settings.frames : 1;
  if (arguments.has("print-config")) {
    print_config(pipeline::plan_render(settings));
    return 0;
  }
  if (arguments.text("output") != "-") output_from(arguments, frames);
  const pipeline::RenderPlan plan = pipeline::plan_render(settings);
  require(plan.settings.batch <= 1 || arguments.text("output") != "-", ErrorKind::usage,
          "--output -: standard output takes one picture, found --batch ", plan.settings.batch);
  return run_work(
      arguments, plan.settings.frames, several_frames ? ".mp4" : ".png", text_about(plan),
      [&](const OutputOptions& output, Progress& progress) { return pipeline::render(plan, output, progress); });
}

}  // namespace keyflow::apps
