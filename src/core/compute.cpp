#include "core/compute.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <sstream>

#include "core/error.h"

namespace keyflow {
namespace {

using Operation = std::function<void(at::ScalarType)>;

double seconds(const Operation& run, at::ScalarType type) {
  const auto start = std::chrono::steady_clock::now();
  run(type);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The fastest type for one operation. Each gets a warm-up and the best of three; a type whose first timed run is
/// four times slower than float32 is dropped at once, because a reference kernel may be 40 times slower.
at::ScalarType fastest(const Operation& run) {
  const auto best_of_three = [&](at::ScalarType type, double give_up) {
    if (seconds(run, type) > 4 * give_up) return give_up * 4;
    double best = seconds(run, type);
    for (int i = 0; i < 2 && best < give_up; ++i) best = std::min(best, seconds(run, type));
    return best;
  };
  run(at::kFloat);
  double reference = seconds(run, at::kFloat);
  for (int i = 0; i < 2; ++i) reference = std::min(reference, seconds(run, at::kFloat));
  at::ScalarType choice = at::kFloat;
  double best = reference / 1.2;
  for (const auto type : {at::kBFloat16, at::kHalf}) {
    const double time = best_of_three(type, std::max(reference, 2e-3));
    if (time < best) {
      best = time;
      choice = type;
    }
  }
  return choice;
}

at::ScalarType type_from_text(const std::string& name) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  if (name == "fp16") return at::kHalf;
  fail(ErrorKind::usage, "--dtype ", printable(name),
       ": expected fp32, bf16, fp16 or CLASS=TYPE pairs as --print-config shows them");
}

}  // namespace

std::string dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "fp32";
    case at::kDouble:
      return "fp64";
    case at::kHalf:
      return "fp16";
    case at::kBFloat16:
      return "bf16";
    case at::kFloat8_e4m3fn:
      return "fp8_e4m3";
    case at::kFloat8_e5m2:
      return "fp8_e5m2";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return std::string(c10::toString(type));
  }
}

std::string to_text(const Compute& compute) {
  return "linear=" + dtype_name(compute.linear) + " conv2d=" + dtype_name(compute.conv2d) +
         " conv3d=" + dtype_name(compute.conv3d) + " attention=" + dtype_name(compute.attention);
}

Compute compute_from_text(const std::string& text) {
  Compute compute;
  if (text.find('=') == std::string::npos) {
    compute.linear = compute.conv2d = compute.conv3d = compute.attention = type_from_text(text);
    return compute;
  }
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto type = type_from_text(equals == std::string::npos ? "" : word.substr(equals + 1));
    if (name == "linear")
      compute.linear = type;
    else if (name == "conv2d")
      compute.conv2d = type;
    else if (name == "conv3d")
      compute.conv3d = type;
    else if (name == "attention")
      compute.attention = type;
    else
      fail(ErrorKind::usage, "--dtype ", printable(text), ": unknown class ", printable(name),
           "; expected linear, conv2d, conv3d or attention");
  }
  return compute;
}

Compute probe_compute() {
  c10::InferenceMode guard;
  Compute compute;
  compute.linear = fastest([](at::ScalarType type) {
    at::linear(at::ones({128, 512}, type), at::ones({512, 512}, type));
  });
  compute.conv2d = fastest([](at::ScalarType type) {
    at::conv2d(at::ones({1, 64, 32, 32}, type).contiguous(at::MemoryFormat::ChannelsLast),
               at::ones({64, 64, 3, 3}, type).contiguous(at::MemoryFormat::ChannelsLast));
  });
  compute.conv3d = fastest([](at::ScalarType type) {
    at::conv3d(at::ones({1, 32, 4, 16, 16}, type).contiguous(at::MemoryFormat::ChannelsLast3d),
               at::ones({32, 32, 3, 3, 3}, type).contiguous(at::MemoryFormat::ChannelsLast3d));
  });
  compute.attention = fastest([](at::ScalarType type) {
    const auto x = at::ones({1, 2, 256, 128}, type);
    at::scaled_dot_product_attention(x, x, x);
  });
  return compute;
}

}  // namespace keyflow
