#include "cli/api_client.h"

#include <chrono>
#include <optional>

#include <fmt/core.h>
#include <grp.h>
#include <sys/stat.h>

#include "cli/json_view.h"
#include "cli/output/text.h"
#include "core/exit_code.h"
#include "core/io/http_client.h"
#include "core/io/ip_address.h"
#include "core/io/loop.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostAnswer = 64u << 20;

boost::asio::awaitable<void> ask(io::HttpRequest request, std::optional<Result<io::HttpAnswer>>* into, io::Loop* loop) {
  into->emplace(co_await io::http_ask(std::move(request)));
  loop->stop();
}

/// The group that may use the socket besides, as its file says; one that cannot be looked at is taken for the usual one.
std::string or_of_group(const std::string& socket) {
  struct stat about{};
  if (::stat(socket.c_str(), &about) != 0) return ", or a member of the group berth";
  if ((about.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP) || about.st_gid == 0) return {};
  const group* its = ::getgrgid(about.st_gid);
  return fmt::format(", or a member of the group {}", its == nullptr ? std::to_string(about.st_gid) : std::string(its->gr_name));
}

Error unreachable(const std::string& socket, const Error& error, bool asks_only) {
  if (error.code == Errc::permission) return {Errc::permission, fmt::format("berthd's socket {} is closed to you: be root{}", socket, or_of_group(socket))};
  if (error.code == Errc::not_found)
    return {Errc::unreachable, fmt::format("berthd does not run here (no socket {}); start it with 'systemctl start berthd', or name its socket with "
                                           "--socket or $BERTH_SOCKET", socket)};
  if (error.code == Errc::refused)
    return {Errc::unreachable, fmt::format("berthd does not run any more (nothing listens at {}); see 'systemctl status berthd'", socket)};
  const char* unknown = asks_only ? "" : "; what was asked for may have begun all the same, or begin yet: 'berth status' and 'berth history' tell when berthd answers again";
  return {Errc::unreachable, fmt::format("berthd at {} does not answer: {}{}", socket, error.message, unknown)};
}

/// The `Errc` of that name.
std::optional<Errc> errc_named(std::string_view name) {
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code)
    if (to_string(static_cast<Errc>(code)) == name) return static_cast<Errc>(code);
  return {};
}

}  // namespace

io::TlsOptions tls_of(const RemoteNode& node) {
  return {.ca_file = node.ca_file, .certificate_file = node.certificate_file, .key_file = node.key_file, .ca_name = "ca_file of nodes.toml, or $BERTH_CA_FILE,"};
}

Error unreachable_there(const RemoteNode& node, const Error& error) {
  const std::string where = io::with_port(node.host, node.port);
  // What is wrong with files here is not for the node to mend, which was not asked; all else is that it cannot be reached.
  if (error.code == Errc::usage) return {Errc::usage, fmt::format("--node {}: {}", node.name, error.message)};
  if (error.message.starts_with(io::kCertificateRefused)) return {Errc::permission, fmt::format("berthd at {} lets you in no further: {}", where, error.message)};
  const std::string unlisted = node.unlisted.empty() ? "" : fmt::format(" ({})", node.unlisted);
  return {Errc::unreachable, fmt::format("berthd at {} does not answer: {}{}", where, error.message, unlisted)};
}

Error problem_error(int status, std::string_view body) {
  const auto problem = json::parse(body, {}, true);
  if (!problem || !problem->is_object())
    return {Errc::protocol, fmt::format("berthd answered with status {} and no reason", status)};
  std::string detail = text_of(*problem, "detail");
  if (detail.empty()) detail = fmt::format("berthd refused ({} {})", status, text_of(*problem, "title"));
  const auto named = errc_named(text_of(*problem, "code"));
  const std::int64_t exit = number_of(*problem, "exit", -1);
  // What it ends with counts; the code only says more of it.
  if (named && (exit < 0 || static_cast<int>(exit_code(*named)) == exit)) return {*named, detail};
  return {exit >= 0 && exit <= 9 ? errc_of(static_cast<Exit>(exit)) : Errc::internal, detail};
}

Result<io::HttpAnswer> ApiClient::ask_here(io::HttpRequest request) const {
  request.to.unix_path = console_.socket;
  const bool asks_only = request.method == "GET";
  io::Loop loop;
  std::optional<Result<io::HttpAnswer>> answer;
  loop.spawn("api call", ask(std::move(request), &answer, &loop));
  loop.run();
  if (!answer) return fail(Errc::internal, "the call of berthd ended without an answer");
  if (!*answer) {
    console_.detail(fmt::format("the socket: {} ({})", answer->error().message, to_string(answer->error().code)));
    return std::unexpected(unreachable(console_.socket, answer->error(), asks_only));
  }
  return std::move(**answer);
}

Result<io::HttpAnswer> ApiClient::ask_there(io::HttpRequest request) const {
  io::ClientOptions options{.tls = tls_of(*console_.node)};
  options.total_timeout = request.deadline;
  options.most_answer = kMostAnswer;
  io::HttpClient client({.https = true, .host = console_.node->host, .port = console_.node->port}, std::move(options));
  auto answer = client.ask(std::move(request));
  if (answer) return answer;
  return std::unexpected(unreachable_there(*console_.node, answer.error()));
}

Result<io::HttpAnswer> ApiClient::ask_and_tell(io::HttpRequest request) const {
  const std::string where = console_.node ? "https://" + io::with_port(console_.node->host, console_.node->port) : console_.socket + " ";
  const std::string sent = request.body.empty() ? std::string() : " with " + request.body;
  const std::string what = fmt::format("{} {}{}{}", request.method, where, request.target, sent);
  const auto began = std::chrono::steady_clock::now();
  auto got = console_.node ? ask_there(std::move(request)) : ask_here(std::move(request));
  if (!console_.verbose) return got;
  const std::string took = fine_time_text(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began));
  if (!got) {
    console_.detail(fmt::format("{}: no answer after {}", what, took));
    return got;
  }
  console_.detail(fmt::format("{}: {}, {} after {}", what, got->status, bytes_text(got->body.size()), took));
  if (got->status < 200 || got->status > 299) console_.detail("its answer: " + got->body);
  return got;
}

Result<ApiAnswer> ApiClient::call(ApiCall call) const {
  io::HttpRequest request;
  request.method = call.method;
  request.target = call.target;
  request.deadline = call.deadline;
  request.most_body = kMostAnswer;
  for (const auto& [name, value] : call.headers) request.headers[name] = value;
  if (call.method == "POST") {
    request.headers["content-type"] = "application/json";
    request.body = json::text(call.body);
  }
  BERTH_TRY(const io::HttpAnswer got, ask_and_tell(std::move(request)));
  if (got.status < 200 || got.status > 299) return std::unexpected(problem_error(got.status, got.body));
  ApiAnswer result{.status = got.status, .body = nullptr};
  if (!got.body.empty()) {
    auto parsed = json::parse(got.body, {.most_bytes = kMostAnswer}, true);
    if (!parsed) return pass(parsed.error(), "berthd's answer to " + call.target);
    result.body = std::move(*parsed);
  }
  return result;
}

Result<json::value> ApiClient::get(std::string target, milliseconds deadline) const {
  BERTH_TRY(auto answer, call({.target = std::move(target), .deadline = deadline}));
  return std::move(answer.body);
}

Result<json::value> ApiClient::post(std::string target, json::object body, milliseconds deadline) const {
  BERTH_TRY(auto answer, call({.method = "POST", .target = std::move(target), .body = std::move(body), .deadline = deadline}));
  return std::move(answer.body);
}

}  // namespace berth::cli
