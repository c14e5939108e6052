#include "daemon/route/nftables.h"

#include <cerrno>
#include <memory>

#include <fmt/core.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include "core/files/fd.h"

namespace berth::route {
namespace {

struct FreeContext {
  void operator()(nft_ctx* context) const { ::nft_ctx_free(context); }
};
using Context = std::unique_ptr<nft_ctx, FreeContext>;

constexpr std::size_t kMostOutput = 8u << 20;

/// The first line of what nftables complains of; the others point into the commands.
std::string first_line(const char* text) {
  std::string line(text == nullptr ? "" : text);
  line.resize(std::min(line.find('\n'), line.size()));
  const auto error = line.find("Error: ");
  if (error != std::string::npos) line.erase(0, error + 7);
  return line.empty() ? "nftables refused, and does not say why" : line;
}

/// libnftables ends the whole program when it gets no netlink socket, so it is not asked then.
Result<void> can_open_netlink() {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  const bool works = netlink && ::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!works) return fail_errno("nftables: open a netlink socket");
  return {};
}

bool says_missing(const Error& error) { return error.message.find("No such file or directory") != std::string::npos; }

}  // namespace

Result<std::string> Nftables::run(const std::string& commands, bool json, bool only_check) {
  const std::scoped_lock lock(mutex_);
  BERTH_CHECK(can_open_netlink());
  const Context context(::nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return fail(Errc::io, "nftables: no netlink socket");
  ::nft_ctx_buffer_output(context.get());
  ::nft_ctx_buffer_error(context.get());
  ::nft_ctx_set_dry_run(context.get(), only_check);
  if (json) ::nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
  if (::nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
    return fail(Errc::io, fmt::format("nftables: {}", first_line(::nft_ctx_get_error_buffer(context.get()))));
  }
  std::string output = ::nft_ctx_get_output_buffer(context.get());
  if (output.size() > kMostOutput) return fail(Errc::protocol, "nftables: the table `inet berth` is too large");
  return output;
}

Result<void> Nftables::check() {
  const PortTable sample{.routes = {{1, {20000, 20001}}}, .closed = {20000}};
  auto able = run(to_nft(sample, true), false, true);
  if (able) return {};
  return fail(Errc::usage, fmt::format("this machine cannot route by `port` ({}): load the kernel's nf_tables, nft_redir, nft_fib_inet and "
                                       "nft_numgen, and run berthd with CAP_NET_ADMIN; or use `socket`, or the strategy `recreate` without a route",
                                       able.error().message));
}

Result<void> Nftables::write(const PortTable& table) {
  auto written = run(to_nft(table));
  if (!written) written = run(to_nft(table, true));
  if (!written) return std::unexpected(written.error());
  return {};
}

Result<PortTable> Nftables::read() {
  auto json = run(fmt::format("list table inet {}", kTableName), true);
  if (!json && says_missing(json.error())) return PortTable();
  if (!json) return std::unexpected(json.error());
  return parse_table(*json);
}

Result<std::string> Nftables::print() {
  auto text = run(fmt::format("list table inet {}", kTableName));
  if (!text && says_missing(text.error())) return std::string();
  return text;
}

}  // namespace berth::route
