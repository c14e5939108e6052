#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::route {

/// A listening socket that a router made.
struct KnownSocket {
  std::uint16_t port = 0;
  bool serving = false;

  bool operator==(const KnownSocket&) const = default;
};

/// The listening sockets of this boot that are berth's, by SO_COOKIE (which the kernel never gives twice), in a file below `run`: after a restart
/// they are still open in keepers and apps, and nothing else tells them from those of another program. Every change is on disk, though not
/// synced, before it is made in the kernel: a power cut ends the sockets too.
class KnownSockets {
 public:
  /// Reads what an earlier berthd left. A file that cannot be read counts as empty.
  explicit KnownSockets(std::filesystem::path file);

  bool contains(std::uint64_t cookie) const { return sockets_.contains(cookie); }
  bool serves(std::uint64_t cookie) const;
  std::set<std::uint64_t> cookies() const;
  Result<void> add(std::uint64_t cookie, std::uint16_t port);
  /// From now on these of `port` serve, and no others.
  Result<void> serve(std::uint16_t port, const std::set<std::uint64_t>& cookies);
  Result<void> remove(std::uint64_t cookie);
  /// Forgets all but these.
  Result<void> keep_only(const std::set<std::uint64_t>& cookies);

 private:
  Result<void> save(std::map<std::uint64_t, KnownSocket> sockets);

  std::filesystem::path file_;
  std::map<std::uint64_t, KnownSocket> sockets_;
};

/// A line a socket: "COOKIE PORT serving|waiting". What is malformed is passed over.
std::map<std::uint64_t, KnownSocket> parse_known_sockets(std::string_view text);
std::string to_text(const std::map<std::uint64_t, KnownSocket>& sockets);

}  // namespace berth::route
