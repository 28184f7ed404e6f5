#pragma once
#include <string>
#include <string_view>

namespace keyflow::text {

/// Every character reference of HTML5 replaced, those that browsers accept without ";" too.
/// source cpython@3.11:Lib/html/__init__.py unescape; HTML Living Standard §13.2.5.72-80
std::u32string html_unescape(std::u32string_view text);

/// Only references that end in ";", and upper-cased names where they cannot be another's ("&NTILDE;").
/// source ftfy@6.3.1:ftfy/fixes.py unescape_html
std::u32string html_unescape_strict(std::u32string_view text);

/// The named references: "name:hex" or "name:hex,hex", separated by blanks; "!" after a name that also stands without
/// ";".
extern const std::string_view kHtmlEntities;

}  // namespace keyflow::text
