#include <array>
#include <utility>

#include "core/error.h"
#include "schedulers/flow_schedule.h"

namespace keyflow::schedulers {
namespace {

template <class T>
struct Name {
  T value;
  std::string_view text;
};

constexpr std::array kFlowKinds{
    Name<FlowKind>{FlowKind::wan_unipc, "wan_unipc"},
    Name<FlowKind>{FlowKind::wan_dpm, "wan_dpm"},
    Name<FlowKind>{FlowKind::diffusers_unipc, "diffusers_unipc"},
    Name<FlowKind>{FlowKind::diffusers_dpm, "diffusers_dpm"},
    Name<FlowKind>{FlowKind::flow_match_euler, "flow_match_euler"},
    Name<FlowKind>{FlowKind::few_step, "few_step"},
};

constexpr std::array kSpacings{
    Name<Spacing>{Spacing::as_shifted, "as_shifted"},
    Name<Spacing>{Spacing::karras, "karras"},
    Name<Spacing>{Spacing::exponential, "exponential"},
    Name<Spacing>{Spacing::beta, "beta"},
};

template <class T, size_t N>
std::string_view text_of(const std::array<Name<T>, N>& names, T value) {
  for (const auto& name : names) {
    if (name.value == value) return name.text;
  }
  fail(ErrorKind::internal, "schedulers: a value without a name");
}

template <class T, size_t N>
std::vector<std::string> texts(const std::array<Name<T>, N>& names) {
  std::vector<std::string> all;
  for (const auto& name : names) all.emplace_back(name.text);
  return all;
}

template <class T, size_t N>
T value_of(const std::array<Name<T>, N>& names, std::string_view text, const char* what) {
  for (const auto& name : names) {
    if (name.text == text) return name.value;
  }
  const auto near = nearest(text, texts(names));
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + std::string(name.text);
  fail(ErrorKind::usage, what, ": expected one of ", all, "; found ", printable(text),
       near.empty() ? "" : "; hint: " + near);
}

}  // namespace

std::string_view name_of(FlowKind kind) { return text_of(kFlowKinds, kind); }
std::string_view name_of(Spacing spacing) { return text_of(kSpacings, spacing); }
FlowKind flow_kind(std::string_view name) { return value_of(kFlowKinds, name, "schedule"); }
Spacing spacing(std::string_view name) { return value_of(kSpacings, name, "spacing"); }
std::vector<std::string> flow_kind_names() { return texts(kFlowKinds); }
std::vector<std::string> spacing_names() { return texts(kSpacings); }

}  // namespace keyflow::schedulers
