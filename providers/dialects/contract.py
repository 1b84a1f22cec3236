"""What a cloud's dialect can say: how it differs from the others behind libcloud's one face, as data.

In goes nothing, out come the types of which each file beside this one makes its `DIALECT`. Names of arguments are those
of libcloud's driver; dotted ones (`ex_create_attr.tags`) stand inside a dictionary; patterns are matched against raw
answers. What never happens here: a call, an import of libcloud, a decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from providers.contract import InstanceState, ProviderError
from providers.dialects.looks import Looks
from providers.dialects.times import Times

if TYPE_CHECKING:
    from providers.dialects.leaving import Devices, Leaves

FLEET_KEY = "autoscaler-fleet"
POOL_KEY = "autoscaler-pool"
NODE_KEY = "autoscaler-node"
"""The keys of our mark. A machine without `autoscaler-fleet` under our fleet's name is never listed and never ended."""


class Shape(StrEnum):
    """What an operator writes for an option, and what the driver wants in its place."""

    TEXT = "text"
    TEXTS = "list of texts"
    FLAG = "true or false"
    REFERENCE = "id"
    """A text; the driver wants an object with that `id`."""
    REFERENCES = "list of ids"
    """Texts; the driver wants objects with these `id`s."""
    NAMED = "list of names"
    """Texts; the driver wants objects with these `name`s."""


class Goes(StrEnum):
    """Whom an option is handed to."""

    ACCOUNT = "the driver's constructor"
    MACHINE = "create_node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of `[providers.NAME]`, handed to the driver as `argument`. Lists for one argument are joined."""

    argument: str
    means: str
    """One sentence for the reference of the configuration."""
    shape: Shape = Shape.TEXT
    to: Goes = Goes.MACHINE
    required: bool = False
    secret: bool = False
    """A credential: read by reference only, and kept out of every log, message and repr."""
    default: str = ""
    """What the driver gets where an operator writes nothing; empty: the argument is left out."""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    """Of a text: what all of it must be like; `means` says so in words."""
    needs: str = ""
    """Another option without which the driver refuses this one."""


class Carriage(StrEnum):
    """In which form the driver's argument takes user data. What is done to it then is the driver's affair."""

    BYTES = "bytes"
    TEXT = "text"
    """UTF-8; bytes that are none are refused unsent."""
    BASE64 = "text in base64"
    """The driver passes on what it is given, and the cloud wants base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """How a machine is told what to become."""

    argument: str
    limit_bytes: int
    """Of the raw bytes; where the cloud counts letters of base64, `before_base64(letters)`."""
    carriage: Carriage
    gzip: bool
    """Whether compressed user data passes through driver and API unharmed."""


def before_base64(letters: int) -> int:
    """How many bytes fit into so many letters of base64."""
    return letters // 4 * 3


class MarkShape(StrEnum):
    """What a machine can bear that tells our fleet from others'."""

    DICT = "keys with values"
    TEXTS = "texts"
    TEXT = "one text"
    NAME = "its name only"
    """The name is lengthened by a checksum of fleet, pool and name, which no other fleet's machine can bear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How our mark is put on a machine, and where it is found again."""

    shape: MarkShape
    argument: str = ""
    found_in: str = ""
    """Dotted, in the machine's row."""
    pairs: tuple[str, str] = ("", "")
    """Of `DICT`: what key and value are called where the row holds a list of pairs; empty: a dictionary."""
    bears: tuple[str, ...] = (FLEET_KEY, POOL_KEY, NODE_KEY)
    """Without NODE_KEY a machine's own name stands for it, where texts are too short for a name."""
    value: str = r"[\s\S]{1,255}"
    """Pattern of all that the cloud takes: of a value, or of a whole text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a cloud takes as a machine's name."""

    pattern: str = r"[\s\S]+"
    longest: int = 255
    respell: tuple[tuple[str, str], ...] = ()
    """Ours, and what stands for it in the cloud; the latter holds a letter that our names never hold (`_`, `.`)."""
    unique: bool = False
    """Whether the cloud itself refuses a second machine of the same name."""
    once: bool = False
    """Whether the name is a client token: a create repeated returns the first machine."""


class LocationShape(StrEnum):
    """What the driver reads from the location it is given."""

    ID = "id"
    ZONE = "zone"
    """EC2's driver ignores the id and reads `availability_zone.name` and `.region_name`."""
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a machine may stand. Without a location in an offer nothing is handed over, and the cloud chooses."""

    argument: str = "location"
    shape: LocationShape = LocationShape.ID
    required: bool = False
    """Whether an order without a location is refused; else the cloud chooses."""
    known_by: str = "id"
    """Which attribute of the driver's own list of locations an offer names; empty: the driver cannot list them."""
    look: tuple[str, str, str] = ("", "", "")
    """Where it cannot: what to ask, where in its answer the rows are, and where in a row is what an offer names, as a
    path of `looks`."""
    countries: Mapping[str, str] = field(default_factory=dict)
    """Country (ISO 3166-1 alpha-2) of each location, or of each region where `zoned`, as the cloud documents it. What
    is not in it is unknown, which never means anywhere."""
    zoned: bool = False
    """Locations are zones of the account's `region`, called by its name and a letter. What else a region has, such as
    local zones, may be in another country."""
    decided_by: str = ""
    """An option that decides the place of an order without a location, and says nothing of the country."""


class Place(StrEnum):
    """How a listing is asked for our machines only."""

    NOWHERE = "not at all"
    """The whole account is listed, and what is not ours left out by us."""
    ARGUMENT = "an argument of list_nodes that takes a dictionary"
    QUERY = "parameters in the URL"
    HEADER = "a header that holds JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """In templates `{fleet}`, `{id}`, `{name}` and `{mark}`, which is the text that bears the fleet's name."""

    place: Place = Place.NOWHERE
    key: str = ""
    """The argument's or header's name."""
    fleet: Mapping[str, str] = field(default_factory=dict)
    by_id: Mapping[str, str] = field(default_factory=dict)
    by_name: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How a listing is walked when the driver itself reads one page only."""

    size_param: str
    size: int
    cursor_param: str
    next_cursor: str
    """Pattern whose first group is the cursor of the next page; no match or an empty one is the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Xml:
    """Listings in XML: a machine's row is what the driver keeps in `Node.extra`."""

    sign: str
    """Pattern that the body of every honest listing bears; without it an empty one proves nothing."""
    row_sign: str
    """Pattern that a listing's body bears once a machine: a driver may skip what it cannot read and say nothing."""
    respell: tuple[str, str] = ("", "")
    """Pattern, and what its first match in an answer is replaced by before the driver reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """Listings in JSON: a machine's row is what the cloud said of it. Paths are dotted; a
    number picks from a list, and `*` joins the lists in all of an object's values."""

    rows: str
    """Where a listing's answer holds its machines."""
    row: str = ""
    """Where the answer to a create or a look at one machine holds it; empty: it is the whole answer."""
    id: str = "id"
    id_pattern: str = r"[A-Za-z0-9][A-Za-z0-9_.:-]*"
    """All that an id may be. Drivers put ids into paths as they are, where `?tag_name=x` would end more than one."""
    total: str = ""
    """Where each page says how many machines there are altogether."""
    total_header: str = ""
    """The same, where a header of each page says it; its name in lower case."""
    numbered: bool = False
    """Pages are counted and not chained: one that goes moves all behind it forward, and a row may fall between pages.
    Several pages then prove absence only where each says the same total, so many rows came, and a second walk shows
    all that the first one did."""
    newest_first: bool = False
    """Counted pages begin with the machine made last, because the driver asks for that. What comes then moves rows back
    and never forward: equal totals prove that no row fell between pages, and one walk is enough."""
    overlapping: bool = False
    """Each page after the first is asked for from the last row of the one before on. Where that row does not begin it,
    something moved; where it does, nothing before it went, and no total is needed."""
    path: str = ""
    """Pattern of the request whose answer is a listing, where the driver asks for other things too."""
    doubt: str = ""
    """Pattern of an answer that says by itself that it may lack machines."""
    left_out: bool = False
    """Whether an honest answer without machines has no rows at all; what stands around them is there all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How machines are listed, and what an honest listing looks like."""

    reads: Xml | Json
    filter: Filter = field(default_factory=Filter)
    arguments: Mapping[str, object] = field(default_factory=dict)
    """Arguments every `list_nodes` is called with."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameters in the URL, in place of the driver's own of that name."""
    only_for: Mapping[str, str] = field(default_factory=dict)
    """Parameters that the driver puts on every request, with a pattern of the paths that take them."""
    cursor: Cursor | None = None
    """None: the driver walks all pages itself."""
    address_lookup: str = ""
    """A method that `list_nodes` calls once more over the wire for addresses we have no use for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Where a machine's row holds what we read, dotted."""

    state: str
    location: str = ""
    size: str = ""
    tails: bool = False
    """Whether location and size are addresses of which the last part counts."""
    created: str = ""
    """An instant in ISO 8601. Where the driver reads one itself, that one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """An answer with this code (a pattern for the whole code), this status, this text (a pattern found anywhere in the
    sentence, in any case), to this request (a pattern of `METHOD url`) means that error. What is empty fits all."""

    means: type[ProviderError]
    codes: str = ""
    status: int | None = None
    text: str = ""
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How a cloud says no. First match wins; what no rule knows is judged by its status."""

    code: str
    """Pattern whose first group is an error code, found in the body of a refused request."""
    text: str
    """The same for the sentence that goes with it."""
    rules: tuple[ErrorRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How the cloud says how much more may be asked. Names of headers in lower case; empty: it does not say."""

    limit: str = ""
    remaining: str = ""
    reset: str = ""
    """Epoch seconds at which as much may be asked again as ever, or the seconds until then."""
    refills: bool = False
    """Whether requests come back one by one until then, and not all at once."""
    counts_for_s: float = 0.0
    """Where each request counts for so long after it was made, and `reset` is when the oldest one no longer does."""
    documented: str = ""
    """What the documentation says, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One cloud."""

    driver: str
    """What an operator writes as `driver = …`."""
    title: str
    """The cloud's own name, and for which API and version this was written."""
    driver_class: str
    """`module:Class` of the driver: libcloud's, or one of ours."""
    constructor: Mapping[str, object] = field(default_factory=dict)
    """Arguments every driver object is made with."""
    members: Mapping[str, object] = field(default_factory=dict)
    """Attributes of the driver's class in place of its own."""
    state_map: str = ""
    """Attribute of the driver's class that maps state words and fails on one it does not know; it no longer fails."""
    raises: tuple[str, ...] = ()
    """`module:Class` of errors of the driver that are none of libcloud's family, nor of Python's usual ones."""
    options: Mapping[str, Option]
    endpoint: bool = True
    """Whether `host`, `port` and `secure` choose another endpoint. Not where credentials hold the address."""
    forms: bool = False
    """Send requests as POST forms instead of GET: parameters (and so user data) stay out of every URL."""
    order_sign: str = r"^(?!GET |HEAD )"
    """Pattern of `METHOD url` of the one request of a create or destroy that makes or ends a machine."""
    follow_sign: str = ""
    """Where a create is a sequence: pattern of the requests that finish what its one order made (user data, start).
    They leave only once that order was taken; what fails from then on is an unknown outcome. Empty: there are none."""
    given_back: str = ""
    """Where an order is taken first and may be given back: pattern of `METHOD url` of the request whose answer says so.
    What a rule of `errors` makes of that answer counts; without one the outcome stays unknown."""
    asks_at_once: bool = False
    """Whether the constructor itself asks the cloud; it then waits for the first call, and is bounded by that."""
    always: Mapping[str, object] = field(default_factory=dict)
    """Arguments every `create_node` gets."""
    at_the_end: Mapping[str, object] = field(default_factory=dict)
    """Arguments every `destroy_node` gets, such as one that takes its disks along."""
    password_argument: str = ""
    """Takes a password of the machine's root, which the cloud demands: a random one that nobody keeps."""
    once_argument: str = ""
    """Takes a key that makes a repeated create return the first machine. At most 64 characters. Empty: has none."""

    user_data: UserData
    mark: Mark
    names: Names = field(default_factory=Names)
    location: Location = field(default_factory=Location)
    listing: Listing
    fields: Fields
    states: Mapping[str, InstanceState | None]
    """The provider's state words; None: it is no more, and is left out of listings."""
    settle_s: float
    errors: Errors
    rate_limit: RateLimit = field(default_factory=RateLimit)
    times: Times = field(default_factory=Times)

    looks: Looks
    """What else can be asked of an offer: limits, prices, and whether what the options name exists."""
    sizes_of_location: bool = False
    """Whether the driver, asked for the sizes of one location, says what is sold there and at which price."""
    images_listed: bool = False
    """Whether the driver's list of images is short and holds all that an offer may name."""
    images_named_by: tuple[str, ...] = ("id", "name")
    """Which attributes of an image in that list, or keys of its `extra`, an order takes."""
    size_look: Mapping[str, str] = field(default_factory=dict)
    """Parameters of a request for one `{size}`, where the driver's own list of sizes is as old as its release."""
    size_sign: str = ""
    """What its answer bears, with `{size}`, if the size is known."""
    sizes_composed: str = ""
    """Pattern of sizes that customers put together themselves, and that stand in no list."""
    kept_volume: tuple[str, str, str] = ("", "", "")
    """Where an image says that a volume outlives its machine: key in `extra`, key of the volume, key of the flag."""
    devices: Devices | None = None
    """How an order says that such a volume ends with its machine all the same."""
    also_marked: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the order itself that put the mark on what comes with a machine; with `{fleet}`, `{pool}` and
    `{name}`."""
    leaves: Leaves | None = None
    """What may stay after a machine's end, bears our mark, and can be listed and swept."""
    left_over: str = ""
    """What may stay and be billed after a destroy, and how it is swept or prevented, in words."""
    proof: str
    """How all this was proven, in words: against which server, or not yet."""
