#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers {
namespace {

constexpr auto kExact = FlowKind::flow_match_euler;
constexpr auto kHalfLog = InnerPoints::half_log_sigma, kHalfLambda = InnerPoints::half_lambda;
constexpr auto kNone = InnerPoints::none;

constexpr std::array kSamplers{
    SamplerEntry{"unipc", sample_unipc, FlowKind::wan_unipc, VpKind::multistep, false, "UniPC (Wan's default)"},
    SamplerEntry{"euler", sample_euler, kExact, VpKind::euler, false, "Euler"},
    SamplerEntry{"euler_a", sample_euler_a, kExact, VpKind::euler, true, "ancestral Euler", kNone, 1.0},
    SamplerEntry{"heun", sample_heun, kExact, VpKind::euler, false, "Heun, two evaluations a step"},
    SamplerEntry{"dpm2", sample_dpm2, kExact, VpKind::euler, false, "DPM2, two evaluations a step", kHalfLog},
    SamplerEntry{"dpm2_a", sample_dpm2_a, kExact, VpKind::euler, true, "ancestral DPM2", kHalfLog, 1.0},
    SamplerEntry{"lms", sample_lms, kExact, VpKind::euler, false, "linear multistep of order 4"},
    SamplerEntry{"ddim", sample_ddim, kExact, VpKind::ddim, false, "DDIM"},
    SamplerEntry{"pndm", sample_pndm, kExact, VpKind::ddim, false, "PNDM (PLMS; Stable Diffusion 1's default)"},
    SamplerEntry{"ipndm", sample_ipndm, kExact, VpKind::euler, false, "improved PNDM"},
    SamplerEntry{"dpm++2s_a", sample_dpmpp_2s_a, kExact, VpKind::euler, true,
                 "ancestral DPM-Solver++ (2S), two evaluations a step", kHalfLambda, 1.0},
    SamplerEntry{"dpm++2m", sample_dpmpp_2m, FlowKind::wan_dpm, VpKind::multistep, false, "DPM-Solver++ (2M)"},
    SamplerEntry{"dpm++2m_sde", sample_dpmpp_2m_sde, FlowKind::wan_dpm, VpKind::multistep, true,
                 "DPM-Solver++ (2M) with fresh noise", kNone, 1.0},
    SamplerEntry{"dpm++3m", sample_dpmpp_3m, FlowKind::wan_dpm, VpKind::multistep, false, "DPM-Solver++ (3M)"},
    SamplerEntry{"dpm++3m_sde", sample_dpmpp_3m_sde, FlowKind::wan_dpm, VpKind::multistep, true,
                 "DPM-Solver++ (3M) with fresh noise", kNone, 1.0},
    SamplerEntry{"res_multistep", sample_res_multistep, kExact, VpKind::euler, false, "exponential multistep, order 2"},
    SamplerEntry{"res_2s", sample_res_2s, kExact, VpKind::euler, false,
                 "exponential Runge-Kutta, two evaluations a step", kHalfLambda},
    SamplerEntry{"lcm", sample_lcm, kExact, VpKind::lcm, true, "denoise and noise again, for distilled models"},
    SamplerEntry{"tcd", sample_tcd, kExact, VpKind::lcm, true, "trajectory consistency, for distilled models", kNone,
                 kTcdEta},
};

/// Another word for a sampler, as spelled by `plain`, and the schedule it implies.
struct Alias {
  std::string_view name, sampler, schedule;
};

constexpr std::array kAliases{
    Alias{"plms", "pndm", ""},
    Alias{"dpm++", "dpm++2m", ""},
    Alias{"dpmsolver++", "dpm++2m", ""},
    Alias{"ipndmv", "lms", ""},  // Adams-Bashforth for uneven steps is what LMS is
    Alias{"ddimtrailing", "ddim", "trailing"},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

bool drop_suffix(std::string& text, std::string_view suffix) {
  if (text.size() <= suffix.size() || !text.ends_with(suffix)) return false;
  text.erase(text.size() - suffix.size());
  return true;
}

/// Lower case without the marks that spellings differ in: "DPM++ 2S a", "dpmpp_2s_ancestral" give "dpm++2sa".
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    text += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  replace_all(text, "dpmpp", "dpm++");
  replace_all(text, "ancestral", "a");
  if (text.starts_with("keuler") || text.starts_with("kheun") || text.starts_with("kdpm") || text.starts_with("klms")) {
    text.erase(0, 1);
  }
  return text;
}

const SamplerEntry* known(const std::string& spelling) {
  for (const auto& entry : kSamplers) {
    if (plain(entry.name) == spelling) return &entry;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& entry : kSamplers) names.emplace_back(entry.name);
  return names;
}

NamedSampler find_named_sampler(std::string_view name) {
  std::string spelling = plain(name), schedule;
  for (const char* law : {"karras", "exponential", "beta"}) {
    if (schedule.empty() && drop_suffix(spelling, law)) schedule = law;
  }
  if (const auto* entry = known(spelling)) return {entry, schedule};
  for (const auto& alias : kAliases) {
    if (alias.name != spelling) continue;
    return {known(plain(alias.sampler)), schedule.empty() ? std::string(alias.schedule) : schedule};
  }
  const auto near = nearest(name, sampler_names());
  std::string all;
  for (const auto& entry : kSamplers) all += (all.empty() ? "" : ", ") + std::string(entry.name);
  fail(ErrorKind::usage, "sampler: expected one of ", all, "; found ", printable(name),
       near.empty() ? "" : "; hint: " + near);
}

const SamplerEntry& find_sampler(std::string_view name) { return *find_named_sampler(name).sampler; }

}  // namespace keyflow::schedulers
