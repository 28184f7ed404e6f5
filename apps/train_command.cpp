#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "core/error.h"
#include "media/picture.h"
#include "train/options.h"
#include "train/prepare.h"

namespace keyflow::apps {
namespace {

int run_prepare(const Arguments& arguments) {
  train::Preparation options;
  for (size_t i = 1; i < arguments.operands().size(); ++i) options.folders.emplace_back(arguments.operands()[i]);
  require(!options.folders.empty(), ErrorKind::usage,
          "train prepare: expected one or more folders with a captions.tsv, found none");
  require(arguments.has("out"), ErrorKind::usage, "train prepare: --out: expected a folder, found nothing");
  options.output = arguments.text("out");
  const auto number = [&](const char* name, int64_t& value, int64_t least, int64_t most) {
    if (arguments.has(name)) value = whole_number(c10::str("--", name), arguments.text(name), least, most);
  };
  number("size", options.size, 8, 4096);
  number("frames", options.frames, 1, 4097);
  number("validation", options.validation, 0, 1'000'000);
  number("vocabulary", options.vocabulary, 16, 300'000);
  number("text-len", options.text_len, 2, 4096);
  for (const auto& [name, values] : arguments.all()) {
    static const std::set<std::string> known{"out", "size", "frames", "validation", "vocabulary", "text-len"};
    require(known.count(name) > 0, ErrorKind::usage, "train prepare: --", name, " belongs to another stage");
  }
  const train::Prepared prepared = train::prepare(options);
  print(c10::str(prepared.clips, " clips (", prepared.validation, " kept aside), ", prepared.pictures, " pictures, ",
                 prepared.pieces, " pieces: ", (options.output / "data.safetensors").string(), "\n"));
  return 0;
}

int run(const Arguments& arguments) {
  const std::string stage = arguments.operands().front();
  if (stage == "prepare") return run_prepare(arguments);
  require(arguments.operands().size() == 1, ErrorKind::usage, "train ", printable(stage),
          ": expected no further words, found ", printable(arguments.operands()[1]));
  train::Options options;
  for (const auto& [name, values] : arguments.all()) options[name] = values.back();
  train::run_stage(stage, options,
                   {[](const std::string& line) { print(line + "\n"); },
                    [](const std::filesystem::path& name, const at::Tensor& rgb) {
                      media::write_png(name.string() + ".png", rgb);
                    }});
  return 0;
}

}  // namespace

Command train_command() {
  Command command;
  command.name = "train";
  command.summary = "Train a small model on pictures and clips of your own";
  command.operands = "prepare|vae|vae-quality|latents|dit [FOLDER...]";
  command.least_operands = 1;
  command.most_operands = 1000;
  std::map<std::string, Option> options;
  for (const auto& stage : train::stages()) {
    for (const auto& option : train::stage_options(stage)) {
      options.try_emplace(option.name, Option{"--" + option.name, option.value, option.help});
    }
  }
  OptionGroup stages{"vae, vae-quality, latents, dit", {}};
  for (const auto& [name, option] : options) stages.options.push_back(option);
  command.groups = {{"prepare (with --out, --frames)",
                     {{"--size", "N", "Side of the square frames [128]"},
                      {"--validation", "N", "Clips never trained on [50]"},
                      {"--vocabulary", "N", "Pieces of the vocabulary, at most [2000]"},
                      {"--text-len", "N", "Tokens of a caption [32]"}}},
                    stages};
  command.example = "keyflow train prepare pictures/ clips/ --out data";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
