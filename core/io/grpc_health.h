#pragma once

#include <string>

#include <boost/asio/awaitable.hpp>

#include "core/io/grpc_message.h"
#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

struct GrpcHealthRequest {
  Endpoint to;
  std::string service;          ///< whose health is asked for; empty: the server's own
  milliseconds deadline{1000};  ///< for all of it, connecting included
};

/// Asks by gRPC's health checking protocol, over HTTP/2 without TLS. Fails as `http_ask`, and with
///  - `Errc::not_found` where the server does not know the service, or has no health service,
///  - `Errc::protocol` for other errors of gRPC.
boost::asio::awaitable<Result<Serving>> grpc_health(GrpcHealthRequest request);

}  // namespace berth::io
