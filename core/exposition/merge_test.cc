#include "core/exposition/merge.h"

#include <gmock/gmock.h>

namespace berth::exposition {
namespace {

using testing::HasSubstr;

const Merger::Labels kOne{{"app", "web"}, {"number", "1"}}, kTwo{{"app", "web"}, {"number", "2"}};

TEST(Merger, GivesEachSeriesLabelsAndEachFamilyInOnePiece) {
  Merger merger;
  const char* page = "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{code=\"200\"} 5\nrequests_total{code=\"500\"} 1 1795510800000\n\n# a comment\nup 1\n";
  EXPECT_EQ(merger.add(page, kOne).value(), 3u);
  EXPECT_EQ(merger.add("# TYPE requests_total counter\nrequests_total 7\n", kTwo).value(), 1u);
  EXPECT_EQ(merger.text(),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
            "requests_total{app=\"web\",number=\"1\",code=\"200\"} 5\nrequests_total{app=\"web\",number=\"1\",code=\"500\"} 1\nrequests_total{app=\"web\",number=\"2\"} 7\n"
            "# TYPE up untyped\nup{app=\"web\",number=\"1\"} 1\n");
}

TEST(Merger, KeepsHistogramsTogetherAndTakesWhatOpenMetricsSays) {
  Merger merger;
  const char* page = "# TYPE took histogram\n# UNIT took seconds\ntook_bucket{le=\"1\"} 2 # {trace=\"x\"} 0.5\ntook_bucket{le=\"+Inf\"} 3\ntook_sum 2.5\ntook_count 3\n"
                     "# TYPE hits counter\nhits_total 4\nhits_created 1.5e9\n# TYPE about info\nabout_info{v=\"1\"} 1\n# EOF\n";
  EXPECT_EQ(merger.add(page, kOne).value(), 7u);
  const std::string text = merger.text();
  EXPECT_THAT(text, HasSubstr("# TYPE took histogram\ntook_bucket{app=\"web\",number=\"1\",le=\"1\"} 2\ntook_bucket{app=\"web\",number=\"1\",le=\"+Inf\"} 3\n"
                              "took_sum{app=\"web\",number=\"1\"} 2.5\ntook_count{app=\"web\",number=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE hits_total counter\nhits_total{app=\"web\",number=\"1\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE about_info untyped\nabout_info{app=\"web\",number=\"1\",v=\"1\"} 1\n"));
}

TEST(Merger, RenamesLabelsThatClash) {
  Merger merger;
  ASSERT_TRUE(merger.add("a{app=\"own\",exported_app=\"also\",x=\"q\\\"\\n\\\\\"} NaN\n", kOne));
  EXPECT_THAT(merger.text(), HasSubstr("a{app=\"web\",number=\"1\",exported_exported_app=\"own\",exported_app=\"also\",x=\"q\\\"\\n\\\\\"} NaN\n"));
}

TEST(Merger, GivesNoTypeWherePagesDisagree) {
  Merger merger;
  ASSERT_TRUE(merger.add("# TYPE a counter\na 1\n", kOne));
  ASSERT_TRUE(merger.add("# TYPE a gauge\na 2\n", kTwo));
  EXPECT_THAT(merger.text(), HasSubstr("# TYPE a untyped\n"));
}

TEST(Merger, TakesNothingOfAPageThatIsWrong) {
  const std::pair<std::string_view, const char*> table[] = {
      {"good 1\nbad\n", "line 2 of its metrics: its value is no number"},
      {"<html>\n", "line 1 of its metrics: expected a metric's name at byte 0"},
      {"a{b=c} 1\n", "expected a value in double quotes"},
      {"a one\n", "its value is no number"},
      {"a 1 soon\n", "behind its value is no timestamp"},
      {"a{x=\"1\"} 1\na{x=\"1\"} 2\n", "line 2 of its metrics: a is there twice"},
      {"berth_app_scrape_success 1\n", "is a name of berth's own"},
      {"berth_ready 1\n", "line 1 of its metrics: berth_ready is a name of berth's own, as all that begin with berth_"},
      {"up 1\n# TYPE berth_ready counter\n", "line 2 of its metrics: berth_ready is a name of berth's own"},
      {"# HELP berth_app_scrape_success Nothing.\nup 1\n", "is a name of berth's own"},
      {"a{__name__=\"b\"} 1\n", "label __name__ begins with __"},
      {"a{x=\"1\",__address__=\"b\"} 1\n", "label __address__ begins with __"},
      {"a{x=\"\xff\"} 1\n", "line 1 of its metrics: it is not UTF-8, or has a NUL"},
      {"a 1\n# HELP a caf\xe9\n", "line 2 of its metrics: it is not UTF-8, or has a NUL"},
      {"a{x=\"\xed\xa0\x80\"} 1\n", "it is not UTF-8, or has a NUL"},
      {std::string_view("a{x=\"\0\"} 1\n", 11), "it is not UTF-8, or has a NUL"},
      {"a +-1\n", "its value is no number"},
      {"a ++1\n", "its value is no number"},
      {"a 1e999\n", "its value is no number"},
      {"a -1e999\n", "its value is no number"},
      {"a 0x10\n", "its value is no number"},
      {"a 1 1e999\n", "behind its value is no timestamp"},
  };
  for (const auto& [page, complaint] : table) {
    Merger merger;
    const auto added = merger.add(page, kOne);
    ASSERT_FALSE(added) << page;
    EXPECT_EQ(added.error().code, Errc::protocol);
    EXPECT_THAT(added.error().message, HasSubstr(complaint));
    EXPECT_EQ(merger.text(), "") << page;
  }
}

TEST(Merger, WritesNumbersAsEveryReaderTakesThem) {
  const std::pair<const char*, const char*> table[] = {
      {"1", "1"},       {"+1", "+1"},    {"-0.5e-3", "-0.5e-3"}, {"1.", "1."},      {".5", ".5"},         {"007", "007"},           {"9007199254740993", "9007199254740993"},
      {"NaN", "NaN"},   {"nan", "NaN"},  {"-nan", "NaN"},        {"nan(x)", "NaN"}, {"+Inf", "+Inf"},     {"Inf", "+Inf"},          {"inf", "+Inf"},
      {"-Inf", "-Inf"}, {"-inf", "-Inf"}, {"infinity", "+Inf"},   {"+INF", "+Inf"},  {"-Infinity", "-Inf"},
  };
  for (const auto& [given, written] : table) {
    Merger merger;
    const auto added = merger.add(std::string("a ") + given + "\n", {});
    ASSERT_TRUE(added) << given << ": " << added.error().message;
    EXPECT_EQ(merger.text(), std::string("# TYPE a untyped\na ") + written + "\n") << given;
  }
}

TEST(Merger, TakesTextThatIsNotAscii) {
  Merger merger;
  ASSERT_TRUE(merger.add("# HELP a Größe.\na{x=\"größer\"} 1\n", {}));
  EXPECT_EQ(merger.text(), "# HELP a Größe.\n# TYPE a untyped\na{x=\"größer\"} 1\n");
}

TEST(Merger, BoundsAPage) {
  std::string page;
  for (std::size_t i = 0; i <= Merger::kMostSamples; ++i) page += "a{x=\"" + std::to_string(i) + "\"} 1\n";
  Merger merger;
  EXPECT_THAT(merger.add(page, kOne).error().message, HasSubstr("more than 50000 samples"));
}

TEST(Merger, BoundsAllPagesTogether) {
  Merger merger;
  std::string page;
  for (int i = 0; i < 1000; ++i) page += "a{x=\"" + std::to_string(i) + std::string(4000, 'x') + "\"} 1\n";
  std::size_t added = 0;
  Result<std::size_t> last = 0;
  for (; last && added < 100; ++added) last = merger.add(page, {{"number", std::to_string(added)}});
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Errc::protocol);
  EXPECT_THAT(last.error().message, HasSubstr("more than 48 MiB"));
  EXPECT_EQ(added, 13u) << "of 4 MB";
  EXPECT_LE(merger.text().size(), Merger::kMostBytes);
  EXPECT_TRUE(merger.add("a 1\n", kOne)) << "a page that has room";
}

TEST(Merger, TellsItsOwn) {
  Merger merger;
  merger.add_own("berth_app_scrape_success", "Whether.", kOne, 1);
  merger.add_own("berth_app_scrape_success", "Whether.", kTwo, 0);
  EXPECT_EQ(merger.text(), "# HELP berth_app_scrape_success Whether.\n# TYPE berth_app_scrape_success gauge\n"
                           "berth_app_scrape_success{app=\"web\",number=\"1\"} 1\nberth_app_scrape_success{app=\"web\",number=\"2\"} 0\n");
}

}  // namespace
}  // namespace berth::exposition
