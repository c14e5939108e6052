#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::route {

/// What the nftables table `inet berth` says.
struct PortTable {
  std::map<std::uint16_t, std::vector<std::uint16_t>> routes;  ///< public port → private ports; a new connection goes to one of them at random
  std::set<std::uint16_t> closed;                              ///< private ports that nobody outside may reach directly
  std::string mark{};                                          ///< whose it is; empty: of a berthd that marked none

  /// Whether nothing of it is needed, whosever it is.
  bool empty() const { return routes.empty() && closed.empty(); }
  bool operator==(const PortTable&) const = default;
};

inline constexpr const char* kTableName = "berth";

/// Whether `text` can be a mark: 16 hexadecimal digits.
bool is_table_mark(std::string_view text);

/// nft commands that bring the table there from whatever it is, in one transaction: chains stay, so every packet meets the old rules or the new ones.
/// An empty table is removed. `afresh`: also where another program changed what the chains are.
std::string to_nft(const PortTable& table, bool afresh = false);

/// Reads what `list table inet berth` gives as JSON. Rules of others in it are passed over.
Result<PortTable> parse_table(std::string_view json);

}  // namespace berth::route
