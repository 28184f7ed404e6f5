#include <array>

#include "core/error.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers {
namespace {

constexpr std::array kSamplers{
    SamplerEntry{"unipc", sample_unipc, FlowKind::wan_unipc, VpKind::multistep, false, "UniPC (Wan's default)"},
    SamplerEntry{"euler", sample_euler, FlowKind::flow_match_euler, VpKind::euler, false, "Euler"},
    SamplerEntry{"euler_a", sample_euler_a, FlowKind::flow_match_euler, VpKind::euler, true, "ancestral Euler"},
    SamplerEntry{"heun", sample_heun, FlowKind::flow_match_euler, VpKind::euler, false, "Heun, two evaluations a step"},
    SamplerEntry{"ddim", sample_ddim, FlowKind::flow_match_euler, VpKind::ddim, false, "DDIM"},
    SamplerEntry{"dpm++2m", sample_dpmpp_2m, FlowKind::wan_dpm, VpKind::multistep, false, "DPM-Solver++ (2M)"},
    SamplerEntry{"dpm++2m_sde", sample_dpmpp_2m_sde, FlowKind::wan_dpm, VpKind::multistep, true,
                 "DPM-Solver++ (2M) with fresh noise"},
    SamplerEntry{"lcm", sample_lcm, FlowKind::flow_match_euler, VpKind::lcm, true,
                 "denoise and noise again, for distilled models"},
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
