#include "daemon/fetch/mirrors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::fetch {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Error kDown{Errc::unreachable, "nothing listens there"};
const Error kMissing{Errc::not_found, "404 Not Found"};

/// A place with one file, or with an answer to everything that is an error. It may break off after some bytes.
struct Place {
  std::string content = {};
  std::optional<Error> error = {};
  std::uint64_t breaks_after = 1000;
  int asked = 0;
};

class PlaceRemote : public trust::Remote {
 public:
  explicit PlaceRemote(Place& place) : place_(place) {}
  Result<std::string> get(std::string_view, std::uint64_t) override {
    ++place_.asked;
    if (place_.error) return std::unexpected(*place_.error);
    return place_.content;
  }

 private:
  Place& place_;
};

class PlaceSource : public BlobSource {
 public:
  explicit PlaceSource(Place& place) : place_(place) {}
  Result<void> read(const std::string&, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token) override {
    ++place_.asked;
    if (place_.error) return std::unexpected(*place_.error);
    const std::string bytes = place_.content.substr(std::min<std::uint64_t>(from, place_.content.size()), most);
    BERTH_CHECK(sink(bytes.substr(0, place_.breaks_after)));
    if (bytes.size() > place_.breaks_after) return fail(Errc::unreachable, "the connection broke");
    return {};
  }

 private:
  Place& place_;
};

class MirrorsTest : public testing::Test {
 protected:
  Result<std::string> get() {
    std::vector<std::unique_ptr<trust::Remote>> remotes;
    for (Place& place : places) remotes.push_back(std::make_unique<PlaceRemote>(place));
    return mirrored(mirrors, std::move(remotes))->get("timestamp.json", 100);
  }
  Result<std::string> read(const std::function<Result<void>()>& judge = [] { return Result<void>(); }) {
    std::vector<std::unique_ptr<BlobSource>> sources;
    for (Place& place : places) sources.push_back(std::make_unique<PlaceSource>(place));
    std::string got;
    auto done = mirrored(mirrors, std::move(sources))->read("blob", 0, 10, [&](std::string_view bytes) {
      got += bytes;
      return judge();
    }, {});
    if (!done) return std::unexpected(std::move(done.error()));
    return got;
  }

  std::vector<Place> places{{.content = "0123456789"}, {.content = "0123456789"}, {.content = "0123456789"}};
  std::vector<std::string> notes;
  Mirrors mirrors{{"https://a", "https://b", "https://c"}, [this](const std::string& note) { notes.push_back(note); }};
};

TEST_F(MirrorsTest, TheFirstIsAskedWhileItAnswers) {
  EXPECT_EQ(get(), "0123456789");
  EXPECT_EQ(read(), "0123456789");
  EXPECT_EQ(places[0].asked, 2);
  EXPECT_EQ(places[1].asked, 0);
  EXPECT_THAT(notes, IsEmpty());
}

TEST_F(MirrorsTest, OneThatIsDownIsPassedOverWithANoteAndNotAskedAgainForAWhile) {
  places[0].error = places[1].error = kDown;
  EXPECT_EQ(get(), "0123456789");
  EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr("https://a is passed over, https://b is asked instead"), HasSubstr("nothing listens")),
                                 HasSubstr("https://b is passed over, https://c is asked instead")));
  EXPECT_EQ(read(), "0123456789");
  EXPECT_EQ(places[0].asked, 1);
  EXPECT_EQ(places[2].asked, 2);
  EXPECT_EQ(mirrors.present(Mirrors::Clock::now() + Mirrors::kReturn + 1s), 0u) << "it may be back";
}

TEST_F(MirrorsTest, WhenAllAreDownTheErrorIsOneAndEachWasAskedOnce) {
  for (Place& place : places) place.error = kDown;
  EXPECT_EQ(get().error().code, Errc::unreachable);
  EXPECT_EQ(read().error().code, Errc::unreachable);
  for (const Place& place : places) EXPECT_EQ(place.asked, 2);
}

TEST_F(MirrorsTest, MetadataThatIsNotThereIsAnAnswerABlobThatIsNotThereMayBeElsewhere) {
  places[0].error = kMissing;
  EXPECT_EQ(get().error().code, Errc::not_found);
  EXPECT_EQ(places[1].asked, 0);
  EXPECT_EQ(read(), "0123456789");
  EXPECT_EQ(places[1].asked, 1);
}

TEST_F(MirrorsTest, ABlobGoesOnAtTheNextPlaceWhereTheConnectionBrokeOrAFileIsShort) {
  places[0].breaks_after = 4;
  places[1].content = "0123456";
  EXPECT_EQ(read(), "0123456789");
  EXPECT_THAT(notes, SizeIs(2));
}

TEST_F(MirrorsTest, ADamagedBlobIsTriedElsewhereTheNextTime) {
  const auto damaged = read([] { return Result<void>(fail(Errc::trust, "damaged")); });
  EXPECT_EQ(damaged.error().code, Errc::trust);
  EXPECT_EQ(places[1].asked, 0);
  EXPECT_EQ(read(), "0123456789");
  EXPECT_EQ(places[1].asked, 1);
  // What is wrong here is wrong with every place.
  EXPECT_EQ(read([] { return Result<void>(fail(Errc::no_space, "full")); }).error().code, Errc::no_space);
  EXPECT_EQ(mirrors.present(), 1u);
}

}  // namespace
}  // namespace berth::fetch
