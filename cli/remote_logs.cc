#include "cli/remote_logs.h"

#include <chrono>

#include <fmt/core.h>

#include "cli/common.h"
#include "core/io/http.h"
#include "core/io/ip_address.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostLine = 8u << 20;
constexpr std::chrono::seconds kSilence{45};  ///< a node gives a sign of life every 15 seconds
constexpr std::chrono::hours kLongest{10 * 365 * 24};

std::string text_of_query(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query) text += fmt::format("{}{}={}", text.empty() ? "?" : "&", name, io::percent_encode(value));
  return text;
}

}  // namespace

Result<void> read_remote_logs(const Console& console, const std::string& app, const std::map<std::string, std::string>& query, const TakeLine& take) {
  // What the node refuses, it tells in an answer that ends.
  std::map<std::string, std::string> first = query;
  first.erase("follow");
  first["lines"] = "0";
  BERTH_CHECK(ApiClient(console).get(app_target(app, "/logs" + text_of_query(first))));

  const RemoteNode& node = *console.node;
  const std::string where = io::with_port(node.host, node.port);
  io::FetchOptions options;
  options.most = UINT64_MAX;
  options.stall_timeout = kSilence;
  options.total_timeout = kLongest;
  options.tls = tls_of(node);
  options.user_agent = "berth/" BERTH_VERSION;
  std::string buffer;
  const auto sink = [&](std::string_view bytes) -> Result<void> {
    buffer += bytes;
    std::size_t from = 0;
    for (auto end = buffer.find('\n', from); end != std::string::npos; end = buffer.find('\n', from)) {
      const std::string line = buffer.substr(from, end - from);
      from = end + 1;
      if (line.empty()) continue;
      BERTH_TRY(auto told, logs::told_record(line));
      take(line, std::move(told));
    }
    buffer.erase(0, from);
    if (buffer.size() > kMostLine) return fail(Errc::protocol, "a line of it has no end");
    return {};
  };
  auto read = io::http_fetch(fmt::format("https://{}{}", where, app_target(app, "/logs" + text_of_query(query))), options, sink);
  if (read) return {};
  return fail(Errc::unreachable, fmt::format("berthd at {}: its logs broke off: {}", where, read.error().message));
}

}  // namespace berth::cli
