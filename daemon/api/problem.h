#pragma once

#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "core/exit_code.h"
#include "core/io/http.h"
#include "core/result.h"

namespace berth::api {

/// The HTTP status of a failure.
int http_status(Errc code);

/// What `berth` ends with after it. As everywhere, but that a repository which cannot be reached is a failure (1) here: berthd did answer.
Exit problem_exit(Errc code);

/// The RFC 9457 problem document of a failure. `status`: another than `http_status` gives.
io::ServerReply problem(const Error& error, std::optional<int> status = {});

io::ServerReply reply(int status, const boost::json::object& body);
io::ServerReply text_reply(int status, std::string text);

}  // namespace berth::api
