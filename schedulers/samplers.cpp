#include <array>

#include "core/error.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers {
namespace {

constexpr std::array kSamplers{
    SamplerEntry{"unipc", sample_unipc, FlowKind::wan_unipc, false, "UniPC, predictor and corrector (Wan's default)"},
    SamplerEntry{"euler", sample_euler, FlowKind::flow_match_euler, false, "Euler"},
    SamplerEntry{"heun", sample_heun, FlowKind::flow_match_euler, false, "Heun, two evaluations a step"},
    SamplerEntry{"dpm++2m", sample_dpmpp_2m, FlowKind::wan_dpm, false, "DPM-Solver++ (2M)"},
    SamplerEntry{"dpm++2m_sde", sample_dpmpp_2m_sde, FlowKind::wan_dpm, true, "DPM-Solver++ (2M) with fresh noise"},
    SamplerEntry{"lcm", sample_lcm, FlowKind::flow_match_euler, true, "denoise and noise again, for distilled models"},
};

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& entry : kSamplers) names.emplace_back(entry.name);
  return names;
}

const SamplerEntry& find_sampler(std::string_view name) {
  for (const auto& entry : kSamplers) {
    if (entry.name == name) return entry;
  }
  const auto near = nearest(name, sampler_names());
  std::string all;
  for (const auto& entry : kSamplers) all += (all.empty() ? "" : ", ") + std::string(entry.name);
  fail(ErrorKind::usage, "sampler: expected one of ", all, "; found ", printable(name),
       near.empty() ? "" : "; hint: " + near);
}

}  // namespace keyflow::schedulers
