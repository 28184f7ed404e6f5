#include "text/char_classes.h"

#include <unordered_map>

#include "text/unicode.h"

namespace keyflow::text {
namespace {

/// Members as in a bracket expression: "a-z" is a range.
struct Group {
  uint32_t bit;
  std::u32string_view members;
};

constexpr Group kGroups[] = {
    {kCommon, U"\u00A0\u00AD\u00B4·–-―’…"},
    {kC1, U"\u0080-\u009F"},
    {kBad, U"¤¦\u00A8ª¬\u00AF\u00B8ºƒ\u02C6\u02C7\u02D8\u02DB\u02DC†‡‰⌐◊\uFFFD"},
    {kLaw, U"§¶"},
    {kCurrency, U"¢£¥₧€"},
    {kStart, U"¡©«¿\u0384\u0385‘‚“„•‹\uF8FF"},
    {kEnd, U"®»\u02DD”›™"},
    {kNumeric, U"±-³µ¹¼-¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
    {kKaomoji, U"°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"},
    {kUpperAccented, U"À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
    {kLowerAccented, U"ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
    {kUpperCommon, U"ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я"},
    {kLowerCommon, U"ά-ωа-џ"},
    {kBox, U"│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"},
    {kLeadOfTwo, U"Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я"},
    {kLeadOfThree, U"à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п"},
    {kLeadOfFour, U"ðóđğšπσру"},
    {kContinuation,
     U"\u0020\u0080-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒ\u02C6\u02C7\u02D8\u02DB-\u02DD\u0384-ΆΈ-ΊΌΎΏЁ-ЌЎЏё-ќўџҐґ–-―‘-‚“-„†-•…‰"
     U"‹›€№™"},
    {kStrictContinuation,
     U"\u0080-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒ\u02C6\u02C7\u02D8\u02DB-\u02DD\u0384-ΆΈ-ΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™"},
};

const std::unordered_map<char32_t, uint32_t>& groups() {
  static const auto table = [] {
    std::unordered_map<char32_t, uint32_t> map;
    for (const auto& [bit, members] : kGroups) {
      for (size_t i = 0; i < members.size(); ++i) {
        const bool range = i + 2 < members.size() && members[i + 1] == U'-';
        const char32_t last = range ? members[i + 2] : members[i];
        for (char32_t c = members[i]; c <= last; ++c) map[c] |= bit;
        if (range) i += 2;
      }
    }
    return map;
  }();
  return table;
}

}  // namespace

std::vector<uint32_t> classes_of(std::u32string_view text) {
  const auto& table = groups();
  std::vector<uint32_t> classes;
  classes.reserve(text.size());
  for (const char32_t c : text) {
    const auto found = table.find(c);
    uint32_t bits = found == table.end() ? 0 : found->second;
    if (c >= U'a' && c <= U'z') bits |= kAsciiLower;
    if (c >= U'A' && c <= U'Z') bits |= kAsciiUpper;
    if (is_python_space(c)) bits |= kSpace;
    if (is_word(c)) bits |= kWord;
    classes.push_back(bits);
  }
  return classes;
}

}  // namespace keyflow::text
