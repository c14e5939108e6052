#include <algorithm>
#include <memory>
#include <sstream>

#include <dlfcn.h>
#include <fmt/core.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "core/files/files.h"
#include "daemon/route/port_table.h"

namespace berth::cli::doctor {
namespace {


/// libnftables as it is on nodes, where berthd needs it; the command line alone does not. It stays in memory until the program ends: it gives GMP functions of its
/// own to allocate with, which whatever verifies a signature calls afterwards.
class Library {
 public:
  Library() : handle_(::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {}
  ~Library() {
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return handle_ != nullptr; }
  template <class Function>
  Function* named(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(handle_, name));
  }

 private:
  void* handle_;
};

/// The library ends the whole program when it gets no netlink socket.
bool has_netlink() {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  return netlink && ::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Result<std::string> run_nft(const std::string& commands, bool json, bool only_check) {
  // The library would complain on stderr by itself.
  if (::geteuid() != 0) return fail(Errc::permission, "root alone may ask nftables");
  const Library library;
  if (!library) return fail(Errc::not_found, "libnftables.so.1 is not installed");
  if (!has_netlink()) return fail(Errc::io, "the kernel gives no netlink socket for nftables");
  const auto make = library.named<decltype(::nft_ctx_new)>("nft_ctx_new");
  const auto end = library.named<decltype(::nft_ctx_free)>("nft_ctx_free");
  const auto keep_output = library.named<decltype(::nft_ctx_buffer_output)>("nft_ctx_buffer_output");
  const auto keep_error = library.named<decltype(::nft_ctx_buffer_error)>("nft_ctx_buffer_error");
  const auto set_dry = library.named<decltype(::nft_ctx_set_dry_run)>("nft_ctx_set_dry_run");
  const auto set_flags = library.named<decltype(::nft_ctx_output_set_flags)>("nft_ctx_output_set_flags");
  const auto run = library.named<decltype(::nft_run_cmd_from_buffer)>("nft_run_cmd_from_buffer");
  const auto output = library.named<decltype(::nft_ctx_get_output_buffer)>("nft_ctx_get_output_buffer");
  const auto error = library.named<decltype(::nft_ctx_get_error_buffer)>("nft_ctx_get_error_buffer");
  if (!make || !end || !keep_output || !keep_error || !set_dry || !set_flags || !run || !output || !error)
    return fail(Errc::not_found, "libnftables.so.1 is another one than berth knows");
  const std::unique_ptr<nft_ctx, decltype(end)> context(make(NFT_CTX_DEFAULT), end);
  if (!context) return fail(Errc::io, "the kernel gives no netlink socket for nftables");
  keep_output(context.get());
  keep_error(context.get());
  set_dry(context.get(), only_check);
  if (json) set_flags(context.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
  if (run(context.get(), commands.c_str()) != 0) {
    const char* said = error(context.get());
    std::string line = said == nullptr ? "" : said;
    line.resize(std::min(line.find('\n'), line.size()));
    if (const auto at = line.find("Error: "); at != std::string::npos) line.erase(0, at + 7);
    return fail(Errc::io, line.empty() ? "nftables refused, and does not say why" : line);
  }
  return std::string(output(context.get()));
}

/// The first line of a file that is no comment and has `what` in it.
std::optional<int> line_with(const fs::path& file, std::string_view what) {
  std::istringstream lines(files::read(file, kMostSystemFile).value_or(""));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.substr(0, line.find('#')).find(what) != std::string::npos) return number;
  }
  return {};
}

}  // namespace

Result<void> can_route_by_port() {
  const route::PortTable sample{.routes = {{1, {20000, 20001}}}, .closed = {20000}};
  BERTH_CHECK(run_nft(route::to_nft(sample, true), false, true));
  return {};
}

Result<std::string> present_rules() {
  auto json = run_nft(fmt::format("list table inet {}", route::kTableName), true, false);
  if (!json && json.error().message.find("No such file or directory") != std::string::npos) return std::string();
  return json;
}

Findings check_nftables(const Subject& subject, const std::function<Result<void>()>& able) {
  Findings findings;
  const auto works = able();
  if (!works && works.error().code == Errc::permission)
    findings.push_back({Level::warning, "nftables", "whether this machine can route by `port` was not tried: " + works.error().message, "it was not looked at", "run berth doctor as root"});
  else if (!works)
    findings.push_back({Level::warning, "nftables", "this machine cannot route by `port`: " + works.error().message, "releases whose processes have a public `port` are refused",
                        "load nf_tables, nft_redir, nft_fib_inet and nft_numgen and be root; or let apps use `socket`, or the strategy `recreate`"});
  const fs::path rules = "etc/nftables.conf";
  if (const auto line = line_with(subject.root / rules, "flush ruleset"))
    findings.push_back({Level::warning, "nftables", fmt::format("/{}:{} has `flush ruleset`", rules.string(), *line),
                        "each reload of that file takes berth's table away; berthd puts it back in a moment, and connections that begin in between are refused",
                        "flush your own tables alone: `table inet filter` and `flush table inet filter` in the place of `flush ruleset`"});
  if (line_with(subject.root / "etc/ufw/ufw.conf", "ENABLED=yes"))
    findings.push_back({Level::warning, "nftables", "ufw is active (/etc/ufw/ufw.conf)",
                        "it drops connections to public ports that it was not told of, and to the private ones (20000 to 29999) that they are redirected to",
                        "`ufw allow` the public ports; for those routed by `port` also `ufw allow 20000:29999/tcp`, which berth's own rules keep closed from outside"});
  if (findings.empty()) findings.push_back({Level::ok, "nftables", "routing by `port` works, and nothing that berth knows of stands in its way"});
  return findings;
}

}  // namespace berth::cli::doctor
