#include "daemon/ship/sinks/http_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Said = Verdict::Kind;

const logs::Time kNow = *logs::parse_rfc3339("2026-11-24T09:00:00Z");

io::HttpAnswer answer(int status, std::string body = {}, io::Headers headers = {}) { return {.status = status, .headers = std::move(headers), .body = std::move(body)}; }

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(parse_retry_after("0", kNow), 0ms);
  EXPECT_EQ(parse_retry_after("120", kNow), 120s);
  EXPECT_EQ(parse_retry_after("99999999999999999999", kNow), 1h);
  EXPECT_EQ(parse_retry_after("86400", kNow), 1h);
  EXPECT_EQ(parse_retry_after("Tue, 24 Nov 2026 09:00:30 GMT", kNow), 30s);
  EXPECT_EQ(parse_retry_after("Tue, 24 Nov 2026 08:00:00 GMT", kNow), 0ms);
  EXPECT_EQ(parse_retry_after("Fri, 24 Nov 2056 08:00:00 GMT", kNow), 1h);
  for (const char* text : {"", "soon", "-1", "1.5", "Tue, 24 Nov 2026 09:00:30", "Tue, 24 Foo 2026 09:00:30 GMT", "Tue, xx Nov 2026 09:00:30 GMT"})
    EXPECT_FALSE(parse_retry_after(text, kNow)) << text;
}

TEST(JudgeStatus, TellsWhatIsTheEntriesFaultFromWhatIsNot) {
  const std::pair<int, Said> cases[] = {{200, Said::taken},  {204, Said::taken},   {202, Said::taken},   {400, Said::refused}, {413, Said::refused}, {422, Said::refused},
                                        {401, Said::later},  {403, Said::later},   {404, Said::later},   {301, Said::later},   {408, Said::later},   {429, Said::later},
                                        {500, Said::later},  {502, Said::later},   {503, Said::later},   {504, Said::later}};
  for (const auto& [status, kind] : cases) {
    const Verdict verdict = judge_status(answer(status), kNow);
    EXPECT_EQ(verdict.kind, kind) << status;
    EXPECT_EQ(verdict.reason.empty(), kind == Said::taken) << status;
    EXPECT_EQ(verdict.is_denied, status == 401 || status == 403) << status;
  }
}

TEST(JudgeStatus, SaysWhatTheServerSaidInOneLine) {
  EXPECT_EQ(judge_status(answer(500, "it\nbroke\r\n"), kNow).reason, "it answers 500 Internal Server Error: it broke");
  EXPECT_EQ(judge_status(answer(400, R"({"code":3,"message":"no \u0007 logs"})"), kNow).reason, "it answers 400 Bad Request: no   logs");
  const Verdict longer = judge_status(answer(503, std::string(100'000, 'x') + "\xff"), kNow);
  EXPECT_LT(longer.reason.size(), 300u);
  EXPECT_THAT(judge_status(answer(503, "\xff"), kNow).reason, HasSubstr("\xEF\xBF\xBD"));
}

TEST(JudgeStatus, WaitsAsLongAsTheServerSays) {
  EXPECT_EQ(judge_status(answer(429, "", {{"retry-after", "7"}}), kNow).wait, 7s);
  EXPECT_EQ(judge_status(answer(503, "", {{"retry-after", "nonsense"}}), kNow).wait, 0ms);
  EXPECT_EQ(judge_status(answer(400, "", {{"retry-after", "7"}}), kNow).wait, 0ms);
}

TEST(JudgeExport, CountsWhatIsRejectedOfABatch) {
  struct Case {
    const char* body;
    std::size_t refused;
  };
  const Case cases[] = {
      {"", 0},
      {"{}", 0},
      {"not json", 0},
      {"[]", 0},
      {R"({"partialSuccess":{}})", 0},
      {R"({"partialSuccess":{"errorMessage":"slow down"}})", 0},
      {R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}})", 3},
      {R"({"partialSuccess":{"rejectedLogRecords":2}})", 2},
      {R"({"partialSuccess":{"rejectedLogRecords":"99999"}})", 10},
      {R"({"partialSuccess":{"rejectedLogRecords":-1}})", 0},
      {R"({"partialSuccess":{"rejectedLogRecords":"x"}})", 0},
      {R"({"partialSuccess":{"rejectedLogRecords":1.5}})", 0},
      {R"({"partialSuccess":null})", 0},
  };
  for (const Case& each : cases) {
    const Verdict verdict = judge_export(answer(200, each.body), 10, kNow);
    EXPECT_EQ(verdict.kind, Said::taken) << each.body;
    EXPECT_EQ(verdict.refused, each.refused) << each.body;
    EXPECT_EQ(verdict.reason.empty(), each.refused == 0) << each.body;
  }
  EXPECT_EQ(judge_export(answer(200, R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}})"), 10, kNow).reason, "it rejects 3 of 10: too old");
  EXPECT_EQ(judge_export(answer(503, R"({"partialSuccess":{"rejectedLogRecords":"3"}})"), 10, kNow).kind, Said::later);
}

}  // namespace
}  // namespace berth::ship
