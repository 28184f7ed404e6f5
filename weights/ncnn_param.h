#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace keyflow::weights {

/// One line of an ncnn network description.
struct NcnnLayer {
  std::string type, name;
  std::vector<std::string> inputs, outputs;
  std::map<int64_t, double> numbers;              ///< "0=64"; whole numbers are exact
  std::map<int64_t, std::vector<double>> arrays;  ///< "-23310=1,0.2" is array 10

  /// The parameter `key`, or `fallback` where the line leaves it out.
  double number(int64_t key, double fallback) const;
  /// The same, which must be whole and in [least, most]. Throws Error::weights with `where` and the layer's name.
  int64_t whole(int64_t key, int64_t fallback, int64_t least, int64_t most, const std::string& where) const;
};

/// True for the first line of an ncnn network description in text form.
bool is_ncnn_param(std::string_view first_bytes);

/// Reads an ncnn `.param` text: the number 7767517, the counts of layers and blobs, then a line for each layer, whose
/// inputs an earlier line has made.
///
/// where   the file's name, for messages
/// throws  Error::weights with the line: another count than promised, a word that is no parameter, an input that no
///         earlier layer makes, an output made twice
/// source  ncnn docs/developer-guide/param-and-model-file-structure.md@master
std::vector<NcnnLayer> parse_ncnn_param(std::string_view text, const std::string& where);

}  // namespace keyflow::weights
