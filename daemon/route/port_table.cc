#include "daemon/route/port_table.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include "core/json/json.h"
#include "daemon/route/selection.h"

namespace berth::route {
namespace {

/// `fib` keeps traffic that is forwarded to other hosts out of it, and the flags connections that began before the kernel tracked any: in the
/// middle of one, a packet must not be sent elsewhere. The input chain lets through what was redirected, and loopback: probes.
constexpr const char* kFrame = R"(add table inet berth
add chain inet berth public
add chain inet berth prerouting {{ type nat hook prerouting priority dstnat; policy accept; }}
add chain inet berth output {{ type nat hook output priority -100; policy accept; }}
add chain inet berth input {{ type filter hook input priority filter; policy accept; }}
add set inet berth private {{ type inet_service; }}
flush table inet berth
flush set inet berth private
add rule inet berth prerouting fib daddr type local tcp flags & (fin | syn | rst | ack) == syn jump public
add rule inet berth output fib daddr type local tcp flags & (fin | syn | rst | ack) == syn jump public
add rule inet berth input iif != "lo" tcp dport @private ct status & dnat == 0 drop
add rule inet berth public ip saddr {} return
)";

std::string redirect_to(const std::vector<std::uint16_t>& ports) {
  if (ports.size() == 1) return fmt::format(":{}", ports.front());
  std::string map;
  for (std::size_t i = 0; i < ports.size(); ++i) map += fmt::format("{}{} : {}", i == 0 ? "" : ", ", i, ports[i]);
  return fmt::format(":numgen random mod {} map {{ {} }}", ports.size(), map);
}

/// A chain of this name and the mark, to which nothing jumps, says whose the table is: chains can be named so in every kernel, comments cannot be everywhere.
constexpr std::string_view kMarkChain = "of-";

using json::value;

/// The member of nested objects, or null.
const value* find(const value* in, std::initializer_list<std::string_view> path) {
  for (const std::string_view name : path) {
    if (in == nullptr || !in->is_object()) return nullptr;
    in = in->as_object().if_contains(name);
  }
  return in;
}

void add_port(const value* number, std::vector<std::uint16_t>& into) {
  const auto* port = number == nullptr ? nullptr : number->if_int64();
  if (port != nullptr && 0 < *port && *port <= 65535) into.push_back(static_cast<std::uint16_t>(*port));
}

std::vector<std::uint16_t> ports_of_redirect(const value* target) {
  std::vector<std::uint16_t> ports;
  const value* map = find(target, {"map", "data", "set"});
  if (map == nullptr) add_port(target, ports);
  if (map == nullptr || !map->is_array()) return ports;
  for (const value& pair : map->as_array()) {
    if (pair.is_array() && pair.as_array().size() == 2) add_port(&pair.as_array()[1], ports);
  }
  return ports;
}

void read_rule(const value& rule, PortTable& table) {
  const value* chain = find(&rule, {"chain"});
  const value* expressions = find(&rule, {"expr"});
  if (chain == nullptr || *chain != "public" || expressions == nullptr || !expressions->is_array()) return;
  std::vector<std::uint16_t> from, to;
  for (const value& expression : expressions->as_array()) {
    if (const value* field = find(&expression, {"match", "left", "payload", "field"}); field != nullptr && *field == "dport") {
      add_port(find(&expression, {"match", "right"}), from);
    }
    if (const value* target = find(&expression, {"redirect", "port"})) to = ports_of_redirect(target);
  }
  if (from.size() == 1 && !to.empty()) table.routes[from.front()] = to;
}

void read_chain(const value& chain, PortTable& table) {
  const value* name = find(&chain, {"name"});
  if (name == nullptr || !name->is_string()) return;
  const std::string_view text = name->as_string();
  if (text.starts_with(kMarkChain) && is_table_mark(text.substr(kMarkChain.size()))) table.mark = text.substr(kMarkChain.size());
}

void read_set(const value& set, PortTable& table) {
  const value* name = find(&set, {"name"});
  const value* elements = find(&set, {"elem"});
  if (name == nullptr || *name != "private" || elements == nullptr || !elements->is_array()) return;
  std::vector<std::uint16_t> ports;
  for (const value& element : elements->as_array()) add_port(&element, ports);
  table.closed.insert(ports.begin(), ports.end());
}

}  // namespace

bool is_table_mark(std::string_view text) { return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

std::string to_nft(const PortTable& table, bool afresh) {
  if (table.empty()) return "add table inet berth\ndelete table inet berth\n";
  std::string commands = afresh ? "add table inet berth\ndelete table inet berth\n" : "";
  commands += fmt::format(fmt::runtime(kFrame), kOwnSources);
  if (!table.mark.empty()) commands += fmt::format("add chain inet berth {}{}\n", kMarkChain, table.mark);
  for (const auto& [port, privates] : table.routes) {
    if (!privates.empty()) commands += fmt::format("add rule inet berth public tcp dport {} redirect to {}\n", port, redirect_to(privates));
  }
  if (!table.closed.empty()) commands += fmt::format("add element inet berth private {{ {} }}\n", fmt::join(table.closed, ", "));
  return commands;
}

Result<PortTable> parse_table(std::string_view text) {
  BERTH_TRY(const value parsed, json::parse(text));
  PortTable table;
  const value* items = find(&parsed, {"nftables"});
  if (items == nullptr || !items->is_array()) return fail(Errc::protocol, "nftables' JSON has no list `nftables`");
  for (const value& item : items->as_array()) {
    if (const value* rule = find(&item, {"rule"})) read_rule(*rule, table);
    if (const value* chain = find(&item, {"chain"})) read_chain(*chain, table);
    if (const value* set = find(&item, {"set"})) read_set(*set, table);
  }
  return table;
}

}  // namespace berth::route
