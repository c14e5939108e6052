#pragma once

#include "daemon/ship/gatherer.h"

#include <memory>
#include <string>
#include <vector>

#include "daemon/ship/ship_fixture.h"

namespace berth::ship {

/// A sink that takes all that it is given.
class GathererTest : public ShipFixture {
 protected:
  std::unique_ptr<Gatherer> begin() {
    auto gatherer = std::make_unique<Gatherer>(parts());
    loaded = gatherer->load();
    return gatherer;
  }
  /// All that there is, delivered.
  std::vector<Entry> deliver_all(Gatherer& gatherer) {
    std::vector<Entry> all;
    for (;;) {
      Batch batch = gatherer.gather(scan());
      EXPECT_TRUE(gatherer.delivered(batch));
      losses.insert(losses.end(), batch.losses.begin(), batch.losses.end());
      replaced.insert(replaced.end(), batch.replaced.begin(), batch.replaced.end());
      all.insert(all.end(), batch.entries.begin(), batch.entries.end());
      if (!batch.more) return all;
    }
  }

  Result<void> loaded;
  std::vector<Loss> losses;
  std::vector<std::string> replaced;
};

}  // namespace berth::ship
