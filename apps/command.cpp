#include "apps/command.h"

namespace keyflow::apps {

std::vector<std::string> names_of(const Option& option) {
  std::vector<std::string> names;
  size_t begin = 0;
  for (size_t comma; (comma = option.names.find(',', begin)) != std::string::npos; begin = comma + 1) {
    names.push_back(option.names.substr(begin, comma - begin));
  }
  names.push_back(option.names.substr(begin));
  return names;
}

std::string key_of(const Option& option) {
  const std::string last = names_of(option).back();
  return last.substr(last.find_first_not_of('-'));
}

bool takes_path(const Option& option) {
  for (const char* word : {"FILE", "MODEL", "PATH", "PICTURE", "FOLDER"}) {
    if (option.value.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string Arguments::text(const std::string& name, const std::string& fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second.back();
}

std::vector<std::string> Arguments::list(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

}  // namespace keyflow::apps
