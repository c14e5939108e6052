#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::HandMadeTar;

Kind text_kind(std::string release, std::string path, std::string rule, std::string tar) {
  return {std::move(release), std::move(path), std::move(rule), [text = std::move(tar)](const Base& base, const std::string& id) {
            return release_with(base, id, layer_of_tar(text));
          }};
}
Kind tar_kind(std::string release, std::string path, std::string rule, const HandMadeTar& tar) {
  return text_kind(std::move(release), std::move(path), std::move(rule), tar.end());
}

/// An honest file, then a pax header, then the file that it is about.
HandMadeTar with_pax(std::string_view records) { return HandMadeTar().add_file("first", "x").add_pax(records).add_file("second", "1234"); }
HandMadeTar with_field(std::size_t field, std::string_view bytes) { return HandMadeTar().add_file("second", "").but_with(field, bytes); }

}  // namespace

std::vector<Kind> header_kinds() {
  constexpr const char* kForm = "not in the canonical form";
  const std::string honest = honest_tar().end();
  std::string dirty = honest;
  dirty[honest_tar().text().size() - 1] = 'x';
  std::string unsummed = HandMadeTar().add_file("second", "").text();
  unsummed.replace(148, 6, "000000");
  return {
      tar_kind("pax-path-out", "../berth-evil", "'.' or '..'", with_pax(pax_record("path", "../berth-evil"))),
      tar_kind("pax-path-absolute", "/tmp/berth-evil", "absolute", with_pax(pax_record("path", "/tmp/berth-evil"))),
      tar_kind("pax-path-other", "third", kForm, with_pax(pax_record("path", "third"))),
      tar_kind("pax-path-twice", "second", kForm, with_pax(pax_record("path", "third") + pax_record("path", "second"))),
      tar_kind("pax-path-with-nul", "sec?ond", "control characters", with_pax(pax_record("path", std::string_view("sec\0ond", 7)))),
      tar_kind("pax-link-out", "second", "and is no link", with_pax(pax_record("linkpath", "../../etc"))),
      tar_kind("pax-size-larger", "second", kForm, with_pax(pax_record("size", "8589934592"))),
      tar_kind("pax-size-smaller", "second", kForm, with_pax(pax_record("size", "1"))),
      tar_kind("pax-size-negative", "first", "size that is no number", with_pax(pax_record("size", "-1"))),
      tar_kind("pax-size-overlong", "first", "size that is no number", with_pax(pax_record("size", "184467440737095516160000000000"))),
      tar_kind("pax-size-in-words", "first", "size that is no number", with_pax(pax_record("size", "0x10"))),
      tar_kind("pax-record-negative", "first", "malformed pax record", with_pax("-9 path=x\n")),
      tar_kind("pax-record-overlong", "first", "malformed pax record", with_pax("99999999999999999999999 path=x\n")),
      tar_kind("pax-record-too-long", "first", "malformed pax record", with_pax("900 path=x\n")),
      tar_kind("pax-record-zero", "first", "malformed pax record", with_pax("0 path=x\n")),
      tar_kind("pax-record-without-value", "first", "malformed pax record", with_pax("10 pathxx\n")),
      tar_kind("pax-record-of-time", "first", "pax record 'mtime'", with_pax(pax_record("mtime", "1e999"))),
      tar_kind("pax-empty", "first", "pax header of a wrong size", with_pax("")),
      tar_kind("pax-huge", "first", "pax header of a wrong size", with_pax(pax_record("comment", std::string(5000, 'c')))),
      tar_kind("pax-of-pax", "", "type 0x78",
               HandMadeTar().add_file("first", "x").add_pax(pax_record("path", "second")).add_pax(pax_record("path", "third")).add_file("x", "1")),
      tar_kind("header-name-with-nul", "second", kForm, with_field(6, std::string_view("\0evil", 5))),
      tar_kind("header-checksum", "first", "wrong checksum", HandMadeTar().add_file("first", "x").add_bytes(unsummed)),
      tar_kind("header-owner", "second", kForm, with_field(108, "0001750")),
      tar_kind("header-time", "second", kForm, with_field(136, "14000000000")),
      tar_kind("header-owner-name", "second", kForm, with_field(265, "toor")),
      tar_kind("header-device-numbers", "second", kForm, with_field(329, "0000001")),
      tar_kind("header-prefix", "second", kForm, with_field(345, "../..")),
      tar_kind("header-magic", "second", kForm, with_field(257, "evil!")),
      tar_kind("size-huge", "second", "", with_field(bundle::kTarLength, "77777777777")),
      tar_kind("size-negative", "", "octal digits", with_field(bundle::kTarLength, "-0000000001")),
      tar_kind("size-base-256", "", "octal digits", with_field(bundle::kTarLength, std::string_view("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12))),
      tar_kind("size-base-256-negative", "", "octal digits", with_field(bundle::kTarLength, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
      tar_kind("mode-not-octal", "", "octal digits", with_field(bundle::kTarMode, "00009x4")),
      text_kind("end-then-more", "note", "after the tar's end", honest + HandMadeTar().add_file("evil", "evil").end()),
      text_kind("end-then-zeros", "note", "after the tar's end", honest + std::string(4096, '\0')),
      text_kind("end-half", "note", "half an end", honest_tar().text() + std::string(512, '\0') + HandMadeTar().add_file("evil", "evil").end()),
      text_kind("padding-not-zero", "note", "padding that is not zero", dirty),
      text_kind("tar-not-a-tar", "", "wrong checksum", std::string(20'000, 'x')),
      text_kind("tar-empty", "", "", std::string(bundle::kTarEnd, '\0')),
  };
}

}  // namespace berth::forge
