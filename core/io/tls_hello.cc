#include "core/io/tls_hello.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace berth::io {
namespace {

constexpr std::uint16_t kTls12 = 0x0303, kTls13 = 0x0304;
constexpr std::uint16_t kSupportedVersions = 43;
constexpr std::size_t kRandom = 32;

/// Takes numbers and pieces off the front; once something is missing, there is nothing any more.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::size_t number(int bytes) {
    std::size_t value = 0;
    for (const char c : piece(static_cast<std::size_t>(bytes))) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view piece(std::size_t size) {
    if (size > bytes_.size()) {
      whole_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  /// A piece behind its length, which has that many bytes.
  std::string_view counted(int bytes) { return piece(number(bytes)); }
  bool more() const { return whole_ && !bytes_.empty(); }
  bool whole() const { return whole_; }

 private:
  std::string_view bytes_;
  bool whole_ = true;
};

/// The extensions of a hello in the first record; nothing where that is none (RFC 8446, 4.1.2 and 5.1).
std::optional<std::string_view> extensions_of(std::string_view bytes) {
  Cursor record(bytes);
  if (record.number(1) != 22) return {};  // handshake
  record.number(2);
  Cursor handshake(record.counted(2));
  if (handshake.number(1) != 1) return {};  // client_hello
  Cursor hello(handshake.counted(3));
  hello.number(2);
  hello.piece(kRandom);
  hello.counted(1);  // session
  hello.counted(2);  // ciphers
  hello.counted(1);  // compressions
  const std::string_view extensions = hello.counted(2);
  if (!record.whole() || !handshake.whole() || !hello.whole()) return {};
  return extensions;
}

}  // namespace

bool offers_only_newer_tls(std::string_view bytes) {
  const auto extensions = extensions_of(bytes);
  if (!extensions) return false;
  for (Cursor each(*extensions); each.more();) {
    const std::size_t kind = each.number(2);
    Cursor extension(each.counted(2));
    if (kind != kSupportedVersions) continue;
    bool newer = false;
    for (Cursor versions(extension.counted(1)); versions.more();) {
      const std::size_t version = versions.number(2);
      if (version == kTls12) return false;
      if (version >= kTls13 && (version >> 8) == 3) newer = true;
    }
    return newer;
  }
  return false;
}

}  // namespace berth::io
