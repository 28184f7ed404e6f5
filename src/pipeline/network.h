#pragma once
#include <memory>
#include <string>

#include "pipeline/model_parts.h"
#include "weights/overlay.h"
#include "weights/plan.h"

namespace keyflow::pipeline {

/// A network's checkpoint with the names and shapes that its model asks for.
struct Network {
  PartFile part;
  weights::Plan plan;
  weights::Rename rename;
  std::string variant;
  weights::Overlay lora;  ///< what LoRAs change in it
  bool present() const { return part.file != nullptr; }
  const std::shared_ptr<const weights::TensorFile>& file() const { return part.file; }
};

/// Plans what was found for a part and compares the plan with the file's header.
/// throws Error::config; Error::weights with all names and shapes that do not fit; Error::unsupported
Network plan_network(const PartFile& part);

/// Takes the file's pages out of this process's resident memory once its network is gone; they are read again when
/// asked for. Without it the peak would be the sum of all networks.
void release_pages(const Network& network);

/// The first tensor of a network, in the order of its construction, that holds NaN or infinity:
/// "blocks.3.ffn.0.weight holds NaN"; "" when all are finite. Reads every weight.
std::string first_bad_weight(const Network& network);

}  // namespace keyflow::pipeline
