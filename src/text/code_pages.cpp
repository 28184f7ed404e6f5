#include "text/code_pages.h"

#include <array>
#include <map>
#include <unordered_map>

namespace keyflow::text {
namespace {

// Bytes 80..FF, as cpython@3.11 Lib/encodings lists them.
constexpr std::u32string_view kWindows1252 =
    U"€\u0081‚ƒ„…†‡\u02C6‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—\u02DC™š›œ\u009DžŸ\u00A0¡¢£¤¥¦§\u00A8©ª«¬\u00AD®\u00AF°±²³\u00B4"
    U"µ¶·"
    U"\u00B8¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";
constexpr std::u32string_view kWindows1251 =
    U"ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u0098™љ›њќћџ\u00A0ЎўЈ¤Ґ¦§Ё©Є«¬\u00AD®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯаб"
    U"вгд"
    U"ежзийклмнопрстуфхцчшщъыьэюя";
constexpr std::u32string_view kWindows1250 =
    U"€\u0081‚\u0083„…†‡\u0088‰Š‹ŚŤŽŹ\u0090‘’“”•–—\u0098™š›śťžź\u00A0\u02C7\u02D8Ł¤Ą¦§\u00A8©Ş«¬\u00AD®Ż°±\u02DBł\u00B4"
    U"µ¶·"
    U"\u00B8ąş»Ľ\u02DDľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ\u02D9";
constexpr std::u32string_view kWindows1253 =
    U"€\u0081‚ƒ„…†‡\u0088‰\u008A‹\u008C\u008D\u008E\u008F\u0090‘’“”•–—\u0098™\u009A›\u009C\u009D\u009E\u009F\u00A0"
    U"\u0385Ά£¤"
    U"¥¦§\u00A8©ª«¬\u00AD®―°±²³\u0384µ¶·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώÿ";
constexpr std::u32string_view kWindows1254 =
    U"€\u0081‚ƒ„…†‡\u02C6‰Š‹Œ\u008D\u008E\u008F\u0090‘’“”•–—\u02DC™š›œ\u009D\u009EŸ\u00A0¡¢£¤¥¦§\u00A8©ª«¬\u00AD®\u00AF"
    U"°±²³"
    U"\u00B4µ¶·\u00B8¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ";
constexpr std::u32string_view kWindows1257 =
    U"€\u0081‚\u0083„…†‡\u0088‰\u008A‹\u008C\u00A8\u02C7\u00B8\u0090‘’“”•–—\u0098™\u009A›\u009C\u00AF\u02DB\u009F\u00A0"
    U"¡¢£¤"
    U"¥¦§Ø©Ŗ«¬\u00AD®Æ°±²³\u00B4µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž\u02D9";
constexpr std::u32string_view kIso8859_2 =
    U"\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008A\u008B\u008C\u008D\u008E\u008F\u0090\u0091"
    U"\u0092"
    U"\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009A\u009B\u009C\u009D\u009E\u009F\u00A0Ą\u02D8Ł¤ĽŚ§\u00A8ŠŞŤŹ\u00ADŽ"
    U"Ż°ą"
    U"\u02DBł\u00B4ľś\u02C7\u00B8šşťź\u02DDžżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ\u02D9";
constexpr std::u32string_view kMacRoman =
    U"ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™\u00B4\u00A8≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u00A0ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·"
    U"‚„‰"
    U"ÂÊÁËÈÍÎÏÌÓÔ\uF8FFÒÚÛÙı\u02C6\u02DC\u00AF\u02D8\u02D9\u02DA\u00B8\u02DD\u02DB\u02C7";
constexpr std::u32string_view kCp437 =
    U"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩"
    U"≡±≥≤⌠⌡÷≈°∙·√\u207F²■\u00A0";

constexpr std::array<CodePage, 10> kPages = {{
    {"latin-1", {}},
    {"windows-1252", kWindows1252, true},
    {"windows-1251", kWindows1251, true},
    {"windows-1250", kWindows1250, true},
    {"windows-1253", kWindows1253, true},
    {"windows-1254", kWindows1254, true},
    {"windows-1257", kWindows1257, true},
    {"iso-8859-2", kIso8859_2},
    {"macroman", kMacRoman},
    {"cp437", kCp437},
}};
constexpr unsigned char kSubstitute = 0x1A;
constexpr char32_t kReplacement = 0xFFFD;

using Inverse = std::unordered_map<char32_t, char>;

const Inverse& inverse_of(const CodePage& page) {
  static const auto tables = [] {
    std::map<std::string_view, Inverse> all;
    for (const auto& entry : kPages) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        all[entry.name][entry.decode(static_cast<unsigned char>(byte))] = static_cast<char>(byte);
      }
    }
    return all;
  }();
  return tables.at(page.name);
}

}  // namespace

char32_t CodePage::decode(unsigned char byte) const {
  if (sloppy && byte == kSubstitute) return kReplacement;
  return byte < 0x80 || upper.empty() ? byte : upper[byte - 0x80];
}

std::optional<std::string> CodePage::encode(std::u32string_view text) const {
  const Inverse& bytes = inverse_of(*this);
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const auto found = bytes.find(c);
    if (found == bytes.end()) return std::nullopt;
    out.push_back(found->second);
  }
  return out;
}

std::span<const CodePage> code_pages() { return kPages; }
const CodePage& latin1() { return kPages[0]; }
const CodePage& windows_1252() { return kPages[1]; }

}  // namespace keyflow::text
