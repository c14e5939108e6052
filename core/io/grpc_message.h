#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

// The two messages of grpc.health.v1 (github.com/grpc/grpc/blob/master/doc/health-checking.md), by hand: each has one field.

namespace berth::io {

/// What a service says of itself: the enumeration of `HealthCheckResponse`.
enum class Serving { unknown = 0, serving = 1, not_serving = 2, service_unknown = 3 };
std::string_view to_string(Serving serving);  ///< "SERVING", as gRPC calls it

/// A `HealthCheckRequest` for `service`, with gRPC's five bytes in front. At most 4 GiB, which no caller has.
std::string health_request(std::string_view service);

/// The `Serving` of a `HealthCheckResponse` with gRPC's five bytes in front, and nothing behind. Fields that are not known are passed over; the last value of
/// one that is repeated counts (proto3). `Errc::protocol` for what is compressed, cut off, or no such message.
Result<Serving> read_health_response(std::string_view bytes);

}  // namespace berth::io
