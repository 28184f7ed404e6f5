#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/clip/vision.h"
#include "models/t5/encoder.h"
#include "models/wan/transformer.h"
#include "models/wan/vae.h"
#include "models/wan/variant.h"
#include "pipeline/model_parts.h"
#include "text/tokenizer.h"
#include "weights/plan.h"

namespace keyflow::pipeline {

/// A network's checkpoint with the names and shapes that its model asks for.
struct Network {
  std::shared_ptr<const weights::TensorFile> file;
  weights::Plan plan;
  weights::Rename rename;
  bool present() const { return file != nullptr; }
};

/// A model whose parts have been found, planned and compared with each other; no weight has been read.
struct ModelFiles {
  ModelParts parts;
  wan::Variant variant;
  Network transformer, text_encoder, vae, image_encoder;
  wan::TransformerConfig transformer_config;
  t5::EncoderConfig text_config;
  wan::VaeConfig vae_config;
  clip::VisionConfig image_config;
  std::shared_ptr<const text::Tokenizer> tokenizer;
};

/// find_parts, then configurations, plans and the fit of the parts to each other.
/// throws Error::config naming every missing part, or the two numbers that do not fit; Error::weights with all names
/// and
///        shapes that do not fit a network; Error::unsupported
std::shared_ptr<ModelFiles> open_model(const RenderSettings& settings, Need need);

/// The networks, built on their files' own memory.
wan::Vae load_vae(const ModelFiles& model, const Compute& compute);
t5::Encoder load_text_encoder(const ModelFiles& model, const Compute& compute);
clip::VisionTower load_image_encoder(const ModelFiles& model, const Compute& compute);

/// Takes the file's pages out of this process's resident memory once its network is gone; they are read again when
/// asked for. Without it the peak would be the sum of all networks.
void release_pages(const Network& network);

/// The first tensor of a network, in the order of its construction, that holds NaN or infinity:
/// "blocks.3.ffn.0.weight holds NaN"; "" when all are finite. Reads every weight.
std::string first_bad_weight(const Network& network);

}  // namespace keyflow::pipeline
