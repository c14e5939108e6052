#include <string>

#include <gtest/gtest.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

TEST(Quoted, IsWhatAnyReaderTakes) {
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  every += "\xc3\xbc\xe2\x80\xa8\xf0\x9f\x98\x80";
  for (const std::string& said : {std::string(), std::string("plain"), std::string("\"quoted\" \\ \n\r\t"), every}) {
    std::string quoted;
    append_quoted(quoted, said);
    const auto read = parse(quoted);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(std::string(read->as_string()), said);
  }
}

}  // namespace
}  // namespace berth::json
