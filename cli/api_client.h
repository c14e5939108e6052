#pragma once

#include <chrono>
#include <map>
#include <string>

#include <boost/json/value.hpp>

#include "cli/console.h"
#include "core/io/http.h"
#include "core/json/json.h"
#include "core/result.h"

namespace berth::cli {

using std::chrono::milliseconds;

/// What berthd answered to a call it did not refuse.
struct ApiAnswer {
  int status = 0;
  json::value body;  ///< null where it said nothing
};

/// A call of the control API.
struct ApiCall {
  std::string method = "GET";
  std::string target;
  json::object body;                           ///< sent where the method is POST
  std::map<std::string, std::string> headers;
  milliseconds deadline{30'000};
};

/// The files by which a node is asked.
io::TlsOptions tls_of(const RemoteNode& node);

/// What is to be said of a node that could not be asked.
Error unreachable_there(const RemoteNode& node, const Error& error);

/// Asks berthd over its socket, or one elsewhere by TLS; docs/api.md is the contract. Blocking.
class ApiClient {
 public:
  explicit ApiClient(const Console& console) : console_(console) {}

  /// `Errc::unreachable` when no berthd answers there, saying how to start it; `Errc::permission` for a caller the socket is closed to;
  /// else what berthd's problem document says.
  Result<ApiAnswer> call(ApiCall call) const;

  Result<json::value> get(std::string target, milliseconds deadline = milliseconds(30'000)) const;
  Result<json::value> post(std::string target, json::object body, milliseconds deadline = milliseconds(30'000)) const;

 private:
  Result<io::HttpAnswer> ask_here(io::HttpRequest request) const;
  Result<io::HttpAnswer> ask_there(io::HttpRequest request) const;

  Result<io::HttpAnswer> ask_and_tell(io::HttpRequest request) const;  ///< with --verbose

  Console console_;
};

/// What a problem document (or whatever came in its place) says.
Error problem_error(int status, std::string_view body);

}  // namespace berth::cli
