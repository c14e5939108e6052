#include <algorithm>

#include <fmt/core.h>

#include "core/exec_frame.h"
#include "core/ids.h"
#include "daemon/api/exec_relay.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"

namespace berth::api {
namespace {

constexpr std::int64_t kHighestNumber = 256;    ///< of an instance, as the app spec has it
constexpr std::int64_t kMostCells = 65535;   ///< rows, or columns

/// A kind of terminal, as terminfo names them.
bool is_terminal_kind(std::string_view text) {
  return text.size() <= 64 && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '/'; });
}

/// `by_connection`: with the size of the terminal that it may have.
Result<deploy::ExecRequest> read_exec(const Call& call, bool by_connection) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  deploy::ExecRequest request{.app = call.app(), .process = reader.string_or("process", ""), .number = static_cast<int>(reader.integer_or("number", 0, 1, kHighestNumber)),
                              .release = reader.string_or("release", ""), .command = {}, .term = reader.string_or("term", ""), .uid = call.request.peer.uid,
                              .asked = call.asked(reason_of(reader))};
  for (const json::value& word : reader.list("command")) {
    const bool right = word.is_string() && word.get_string().find('\0') == std::string::npos;
    if (right) request.command.emplace_back(word.get_string());
    else reader.complain("'command' has something else than text in it");
  }
  if (by_connection) {
    const bool terminal = reader.boolean_or("terminal", false);
    const auto rows = reader.integer_or("rows", 0, 0, kMostCells), columns = reader.integer_or("columns", 0, 0, kMostCells);
    if (terminal) request.terminal = deploy::ExecTerminal{.rows = static_cast<std::uint16_t>(rows), .columns = static_cast<std::uint16_t>(columns)};
  }
  if (request.command.empty() || request.command.front().empty()) reader.complain("'command' names no program");
  if (!request.process.empty() && !is_name(request.process)) reader.complain("'process' is no name of a process");
  if (request.number > 0 && request.process.empty()) reader.complain("'number' needs a 'process' that it is of");
  if (!request.release.empty() && !is_release_id(request.release)) reader.complain("'release' is no id of a release");
  if (!is_terminal_kind(request.term)) reader.complain("'term' is no kind of a terminal");
  BERTH_CHECK(reader.done());
  return request;
}

Answer wants_other_protocol() {
  io::ServerReply answer = problem({Errc::usage, fmt::format("its command's files go by this connection: ask with 'Connection: Upgrade' and 'Upgrade: {}' (formats.md)", exec_frame::kProtocol)}, 426);
  answer.headers["upgrade"] = exec_frame::kProtocol;
  return answer;
}

}  // namespace

awaitable<Answer> exec_in_app(Call call) {
  auto request = read_exec(call, true);
  if (!request) co_return pass(request.error());
  if (!io::wants_upgrade(call.request, exec_frame::kProtocol)) co_return wants_other_protocol();
  auto place = call.node.exec_place(call.caller);
  if (!place) co_return fail(Errc::refused, "as many one-off commands of this node as may go by connections of the API at once: end another one");
  auto stream = co_await call.operations.exec_stream(std::move(*request));
  if (!stream) co_return pass(stream.error());
  io::ServerReply answer;
  answer.status = 101;
  answer.headers["upgrade"] = exec_frame::kProtocol;
  answer.headers["berth-instance"] = to_string(stream->id);
  answer.headers["berth-process"] = stream->process;
  auto ends = std::make_shared<deploy::ExecEnds>(std::move(stream->ends));
  answer.upgrade = [ends = std::move(ends), place = std::move(place)](std::shared_ptr<io::Duplex> line) { return relay_exec(std::move(line), ends, place); };
  co_return answer;
}

awaitable<Answer> exec_with_files(Call call) {
  auto request = read_exec(call, false);
  if (!request) co_return pass(request.error());
  const auto place = co_await call.operations.exec(std::move(*request));
  if (!place) co_return pass(place.error());
  co_return reply(200, {{"instance", to_string(place->id)}, {"process", place->process}, {"socket", place->socket}});
}

}  // namespace berth::api
