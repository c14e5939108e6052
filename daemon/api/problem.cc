#include "daemon/api/problem.h"

#include "core/json/json.h"
#include "core/utf8.h"

namespace berth::api {

int http_status(Errc code) {
  switch (code) {
    case Errc::usage: return 400;
    case Errc::permission: return 403;
    case Errc::not_found: return 404;
    case Errc::exists:
    case Errc::conflict:
    case Errc::cancelled: return 409;
    case Errc::trust: return 422;
    case Errc::io:
    case Errc::internal: return 500;
    case Errc::protocol: return 502;
    case Errc::refused:
    case Errc::unreachable: return 503;
    case Errc::timeout: return 504;
    case Errc::no_space: return 507;
  }
  return 500;
}

Exit problem_exit(Errc code) {
  const Exit exit = exit_code(code);
  return exit == Exit::unreachable ? Exit::failed : exit;
}

io::ServerReply problem(const Error& error, std::optional<int> other_status) {
  const int status = other_status.value_or(http_status(error.code));
  const std::string code(to_string(error.code));
  io::ServerReply answer = reply(status, {{"type", "about:blank"},
                                          {"title", code},
                                          {"status", status},
                                          {"detail", as_utf8(error.message)},
                                          {"code", code},
                                          {"exit", static_cast<int>(problem_exit(error.code))}});
  answer.content_type = "application/problem+json";
  return answer;
}

io::ServerReply reply(int status, const boost::json::object& body) {
  io::ServerReply answer;
  answer.status = status;
  answer.body = json::text(body) + "\n";
  return answer;
}

io::ServerReply text_reply(int status, std::string text) {
  io::ServerReply answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = std::move(text);
  return answer;
}

}  // namespace berth::api
