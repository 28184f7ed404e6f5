#include "apps/progress.h"

#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "media/picture.h"

namespace keyflow::apps {
namespace {

using nlohmann::ordered_json;
using pipeline::Phase;

}  // namespace

ProgressStyle progress_style(const std::string& name) {
  if (name == "json") return ProgressStyle::json;
  if (name == "bar" || (name == "auto" && errors_go_to_terminal())) return ProgressStyle::bar;
  return ProgressStyle::plain;
}

Progress::Progress(ProgressStyle style, bool verbose, std::filesystem::path preview_path)
    : style_(style), verbose_(verbose), preview_path_(std::move(preview_path)) {}

Progress::~Progress() {
  if (bar_on_screen_) apps::note("\r\x1b[K");
}

double Progress::now_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

/// A line of text; a bar on the screen makes room for it.
void Progress::line(const std::string& text) {
  apps::note((bar_on_screen_ ? "\r\x1b[K" : "") + text + "\n");
  bar_on_screen_ = false;
}

void Progress::draw_bar(const std::string& name, int64_t done, int64_t total, bool force) {
  constexpr double kRedraw_s = 0.1;
  if (!force && now_s() - drawn_s_ < kRedraw_s) return;
  drawn_s_ = now_s();
  std::string head = name + (total > 1 ? c10::str(" ", done, "/", total) : "");
  head.resize(std::max<size_t>(head.size(), 16), ' ');
  char percent[8];
  std::snprintf(percent, sizeof percent, "%3d%%", static_cast<int>(estimate_.fraction() * 100));
  const std::string tail = percent + (estimate_.left_s() ? "  " + duration_text(*estimate_.left_s()) + " left" : "");
  const size_t taken = head.size() + tail.size() + 6, columns = terminal_columns();
  const size_t width = columns > taken + 10 ? std::min<size_t>(columns - taken, 50) : 0;
  const auto filled = static_cast<size_t>(static_cast<double>(width) * estimate_.fraction());
  const std::string bar = width > 0 ? " [" + std::string(filled, '#') + std::string(width - filled, '.') + "] " : " ";
  apps::note("\r" + head + bar + tail + "\x1b[K");
  bar_on_screen_ = true;
}

void Progress::progress(Phase phase, int64_t done, int64_t total) {
  const std::string name(name_of(phase));
  estimate_.update(phase, done, total, now_s());
  if (style_ == ProgressStyle::json) {
    ordered_json event{{"event", "progress"}, {"phase", name}, {"done", done}, {"total", total}};
    event["fraction"] = estimate_.fraction();
    if (estimate_.left_s()) event["left_s"] = *estimate_.left_s();
    return line(event.dump());
  }
  const bool new_phase = name != printed_phase_;
  if (style_ == ProgressStyle::bar) {
    printed_phase_ = name;
    return draw_bar(name, done, total, new_phase || done == total);
  }
  const int64_t tenth = total > 1 ? done * 10 / total : 0;
  if (phase == Phase::load || (!new_phase && (tenth == printed_tenth_ || done == total))) return;
  printed_phase_ = name;
  printed_tenth_ = tenth;
  const std::string left = estimate_.left_s() ? ", " + duration_text(*estimate_.left_s()) + " left" : "";
  line(done > 0 && total > 1 ? c10::str(name, " ", done, "/", total, left) : name + left);
}

void Progress::preview(int64_t step, const at::Tensor& rgb) {
  media::write_png(preview_path_, rgb);
  if (style_ == ProgressStyle::json) {
    line(ordered_json{{"event", "preview"}, {"step", step}, {"path", preview_path_.string()}}.dump());
  } else if (verbose_) {
    line(c10::str("preview of step ", step, ": ", preview_path_.string()));
  }
}

void Progress::note(const std::string& text) {
  if (style_ == ProgressStyle::json) return line(ordered_json{{"event", "note"}, {"text", text}}.dump());
  line("note: " + text);
}

void Progress::warning(const std::string& text) {
  if (style_ == ProgressStyle::json) return line(ordered_json{{"event", "warning"}, {"text", text}}.dump());
  line("warning: " + text);
}

void Progress::finish(const pipeline::RenderResult& result, const std::string& about) {
  std::vector<std::string> outputs;
  for (const auto& path : result.outputs) outputs.push_back(path.string());
  const pipeline::PhaseCost* largest = nullptr;
  for (const auto& cost : result.costs) {
    if (!largest || cost.peak_bytes > largest->peak_bytes) largest = &cost;
  }
  if (style_ == ProgressStyle::json) {
    ordered_json phases = ordered_json::array();
    for (const auto& cost : result.costs) {
      phases.push_back({{"phase", name_of(cost.phase)}, {"seconds", cost.seconds}, {"peak_bytes", cost.peak_bytes}});
    }
    const uint64_t peak = largest ? largest->peak_bytes : 0;
    ordered_json event{{"event", "done"}, {"outputs", outputs}, {"seconds", now_s()}, {"peak_bytes", peak}};
    event["phases"] = phases;
    if (!result.latents.empty()) event["latents"] = result.latents.string();
    return line(event.dump());
  }
  std::string times, files = outputs.empty() ? "" : outputs.front();
  if (outputs.size() > 1) files += " .. " + outputs.back();
  for (const auto& cost : result.costs) {
    times += c10::str(times.empty() ? "" : ", ", name_of(cost.phase), " ", duration_text(cost.seconds));
  }
  line(files + (about.empty() ? "" : ": " + about));
  if (!result.latents.empty()) line("latents kept: " + result.latents.string());
  line(duration_text(now_s()) + " (" + times + ")");
  if (largest)
    line("peak memory " + bytes_text(largest->peak_bytes) + " (" + std::string(name_of(largest->phase)) + ")");
}

}  // namespace keyflow::apps
