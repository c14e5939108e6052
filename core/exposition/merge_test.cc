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
  const std::pair<const char*, const char*> table[] = {
      {"good 1\nbad\n", "line 2 of its metrics: its value is no number"},
      {"<html>\n", "line 1 of its metrics: expected a metric's name at byte 0"},
      {"a{b=c} 1\n", "expected a value in double quotes"},
      {"a one\n", "its value is no number"},
      {"a 1 soon\n", "behind its value is no timestamp"},
      {"a{x=\"1\"} 1\na{x=\"1\"} 2\n", "line 2 of its metrics: a is there twice"},
      {"berth_app_scrape_success 1\n", "is a name of berth's own"},
  };
  for (const auto& [page, complaint] : table) {
    Merger merger;
    merger.reserve("berth_app_scrape_success");
    const auto added = merger.add(page, kOne);
    ASSERT_FALSE(added) << page;
    EXPECT_EQ(added.error().code, Errc::protocol);
    EXPECT_THAT(added.error().message, HasSubstr(complaint));
    EXPECT_EQ(merger.text(), "") << page;
  }
}

TEST(Merger, BoundsAPage) {
  std::string page;
  for (std::size_t i = 0; i <= Merger::kMostSamples; ++i) page += "a{x=\"" + std::to_string(i) + "\"} 1\n";
  Merger merger;
  EXPECT_THAT(merger.add(page, kOne).error().message, HasSubstr("more than 50000 samples"));
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
