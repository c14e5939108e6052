#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::HandMadeTar;
using bundle::link_entry;

Kind tar_kind(std::string release, std::string rule, const HandMadeTar& tar) {
  return {std::move(release), "evil", std::move(rule), [text = tar.end()](const Base& base, const std::string& id) {
            return release_with(base, id, layer_of_tar(text));
          }};
}

HandMadeTar of_type(const char* type, const std::string& target = "note") {
  return HandMadeTar().add(link_entry("evil", target)).but_with(bundle::kTarType, type);
}
HandMadeTar of_mode(std::uint32_t mode) { return HandMadeTar().add_file("evil", "", mode); }
HandMadeTar with_record(std::string_view key, std::string_view value) {
  return HandMadeTar().add_file("evil", "").add_pax(pax_record(key, value)).add_file("evil2", "x");
}

}  // namespace

std::vector<Kind> type_kinds() {
  return {
      tar_kind("type-hard-link", "hard link", of_type("1")),
      tar_kind("type-hard-link-out", "hard link", of_type("1", "../../../../etc/shadow")),
      tar_kind("type-character-device", "device", of_type("3")),
      tar_kind("type-block-device", "device", of_type("4")),
      tar_kind("type-fifo", "FIFO", of_type("6")),
      tar_kind("type-contiguous", "type 0x37", of_type("7")),
      tar_kind("type-socket", "type 0x73", of_type("s")),
      tar_kind("type-old-file", "type 0x00", of_type("0").but_with(bundle::kTarType, std::string_view("\0", 1))),
      tar_kind("type-sparse", "sparse", of_type("S")),
      tar_kind("type-gnu-long-name", "type 0x4c", of_type("L")),
      tar_kind("type-volume", "type 0x56", of_type("V")),
      tar_kind("type-global-pax", "global pax", of_type("g")),
      tar_kind("mode-setuid", "4755", of_mode(04755)),
      tar_kind("mode-setgid", "2755", of_mode(02755)),
      tar_kind("mode-sticky", "1644", of_mode(01644)),
      tar_kind("mode-for-all", "0666", of_mode(0666)),
      tar_kind("mode-unreadable", "0000", of_mode(0)),
      tar_kind("mode-type-bits", "104755", of_mode(0104755)),
      tar_kind("pax-capabilities", "SCHILY.xattr.security.capability", with_record("SCHILY.xattr.security.capability", "\x01\x02\x03\x04\x05\x06\x07\x08")),
      tar_kind("pax-access-list", "SCHILY.acl.access", with_record("SCHILY.acl.access", "user::rwx")),
      tar_kind("pax-attribute", "LIBARCHIVE.xattr.user.x", with_record("LIBARCHIVE.xattr.user.x", "xx")),
      tar_kind("pax-sparse", "GNU.sparse.major", with_record("GNU.sparse.major", "1")),
      tar_kind("pax-owner", "uid", with_record("uid", "0")),
  };
}

}  // namespace berth::forge
