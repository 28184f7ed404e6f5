#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pipeline/render.h"

namespace keyflow::pipeline {

/// The text put into every output: effective settings, model and picture hashes, program revision. It holds no clock,
/// no host, no duration and no absolute path, so that the same settings give the same bytes.
std::string metadata_text(const RenderPlan& plan);

/// SHA-256 by part: weights (a fingerprint, see weights/hash.h), tokenizer and the pixels of "keyframe N".
std::map<std::string, std::string> content_hashes(const RenderPlan& plan);

/// The settings an output was made with. Pictures are looked for under the recorded name, first from the current
/// folder, then beside `file`; their hashes must agree when the render is planned.
/// Throws Error::config for a file without settings, an unknown key or a value out of range.
RenderSettings settings_from_metadata(const std::filesystem::path& file);

/// The text of a file that was made by enlarging another: what `stored`, the other's text, says if it is keyflow's, and
/// `step` at the end of the list "upscale".
std::string metadata_with_upscale(const std::string& stored, const nlohmann::json& step);

/// Throws Error::config listing every part that differs from what the settings came with, but for those that a stronger
/// origin replaced.
void require_expected_hashes(const RenderPlan& plan);

}  // namespace keyflow::pipeline
