#include "core/io/grpc_message.h"

#include <gtest/gtest.h>

namespace berth::io {
namespace {

using namespace std::string_literals;

std::string framed(const std::string& message, char compressed = 0) {
  std::string bytes{compressed, 0, 0, static_cast<char>(message.size() >> 8), static_cast<char>(message.size())};
  return bytes + message;
}

TEST(GrpcMessage, ARequestNamesItsService) {
  EXPECT_EQ(health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(health_request("web"), "\0\0\0\0\5\x0a\3web"s);
  const std::string longer(300, 'x');
  EXPECT_EQ(health_request(longer), "\0\0\0\1\x2f\x0a\xac\2"s + longer);
}

TEST(GrpcMessage, AnAnswerSaysWhatTheServiceSays) {
  const std::pair<std::string, Serving> kCases[] = {
      {"", Serving::unknown},  // proto3 does not write a default
      {"\x08\x00"s, Serving::unknown},
      {"\x08\x01", Serving::serving},
      {"\x08\x02", Serving::not_serving},
      {"\x08\x03", Serving::service_unknown},
      {"\x08\x04", Serving::unknown},                                        // of a later version
      {"\x08\x01\x08\x02", Serving::not_serving},                            // the last one counts
      {"\x08\x81\x80\x00"s, Serving::serving},                               // a varint that is longer than it must be
      {"\x12\x02hi\x08\x01\x19" "12345678" "\x25" "1234" "\x28\xff\x01", Serving::serving},  // fields of later versions
  };
  for (const auto& [message, expected] : kCases) {
    const auto serving = read_health_response(framed(message));
    ASSERT_TRUE(serving) << serving.error().message;
    EXPECT_EQ(*serving, expected) << to_string(*serving);
  }
}

TEST(GrpcMessage, WhatIsNoAnswerIsRefused) {
  const std::string kCases[] = {"",
                                "\0\0\0\0"s,
                                framed("\x08\x01", 1),
                                framed("\x08\x01") + "x",
                                framed("\x08\x01").substr(0, 6),
                                framed("\x08"),
                                framed("\x08\x80"),
                                framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
                                framed("\x00\x01"s),      // there is no field 0
                                framed("\x12\x05hi"),     // cut off
                                framed("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                framed("\x0b"),           // groups
                                framed("\x0e"),           // no wire type
                                framed("\x19" "1234567")};
  for (const std::string& bytes : kCases) {
    const auto serving = read_health_response(bytes);
    ASSERT_FALSE(serving) << to_string(*serving);
    EXPECT_EQ(serving.error().code, Errc::protocol);
  }
}

}  // namespace
}  // namespace berth::io
