#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "schedulers/model_schedule.h"

namespace keyflow::schedulers {

/// Reads a scheduler_config.json of diffusers.
///
/// json    the file's object; where = its name, for messages
/// throws  Error::config for a class, key or value that keyflow does not know
/// source  diffusers 0.42.1 schedulers/scheduling_*.py for the meaning and the defaults of the keys
ModelSchedule model_schedule_from_json(const nlohmann::json& json, const std::string& where);

/// The same from a file, which may spell an infinite number as Python does.
ModelSchedule read_scheduler_config(const std::filesystem::path& path);

}  // namespace keyflow::schedulers
