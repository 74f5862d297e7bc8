"""The demo's word problems as data: themes, word lists and templates. Rendering and sampling are in `word_problems`.

The template language:

    {buys|gets}         one of the alternatives, drawn anew for each problem
    @a @b ...           a number, drawn from the template's `numbers` ("a=4..15 c=10..60/5": every fifth from 10 to 60)
    @A @B @C            people's names; @he @his @him @He @His speak of @A; @sibling and @elder fit the name @B
    @animal @animal2    a word of that list in `WORDS`, the second different from the first
    @times_k            the number k as "twice", "three times", ...
    [a*b=c]             in a solution line: a calculation, whose result is named c from there on; [$a*b=c] is in dollars

A solution line holds one calculation with one kind of operator, so that a small model can follow it.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = {
    "she": "Ada|Aisha|Anna|Bella|Carla|Chloe|Dina|Elena|Emma|Fatima|Grace|Hana|Ines|Ivy|Jasmine|Julia|Kim|Laura|Leah|"
    "Lucy|Maya|Mia|Nina|Nora|Olga|Priya|Rosa|Ruth|Sara|Sofia|Tara|Uma|Vera|Wendy|Yuki|Zoe",
    "he": "Adam|Ahmed|Alex|Ben|Boris|Carlos|Chen|Daniel|David|Eli|Emil|Felix|George|Hugo|Ivan|Jack|James|Juan|Karl|"
    "Ken|Leo|Liam|Marco|Max|Noah|Omar|Oscar|Paul|Pedro|Ravi|Rob|Sam|Tom|Victor|Will|Yusuf",
}

WORDS = {
    "goods": "notebooks|mugs|candles|puzzles|lamps|hats|scarves|umbrellas",
    "clothes": "shirts|jackets|dresses|sweaters|skirts|coats",
    "baked": "cookies|muffins|cupcakes|brownies|pancakes|waffles",
    "supply": "pencils|erasers|markers|crayons|rulers|stickers",
    "animal": "cows|goats|sheep|horses|pigs|ducks",
    "ball": "soccer|basketball|volleyball|handball|hockey|rugby",
    "plant": "roses|tulips|daisies|lilies|sunflowers|orchids",
    "crop": "tomatoes|carrots|potatoes|onions|cabbages|peppers",
    "product": "bicycles|radios|chairs|clocks|phones|toys",
    "craft": "bracelets|necklaces|baskets|bowls|kites|quilts",
    "pet": "dogs|cats|rabbits|parrots|hamsters|turtles",
    "treat": "sandwiches|burgers|tacos|pizzas|donuts|salads",
    "gift": "a bicycle|a guitar|a camera|a tablet|a drone|a telescope",
    "parent": "mother|father|aunt|uncle",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday",
}

OPENERS = {
    "ages": ["{The whole|A big} family {meets|gathers} {at home|for a birthday}.", "Grandma asks about everyone's age."],
    "shopping": ["The {mall|shop} has a {big|summer} sale.", "{It is a busy day|There are many customers} at the store."],
    "cooking": ["The kitchen {smells wonderful|is warm and busy}.", "A family recipe is being {cooked|baked}."],
    "school": ["The school year has {just begun|almost ended}.", "The {teacher|principal} counts everything carefully."],
    "farm": ["It is {spring|harvest time} on the farm.", "{The barn is full of life|The farm lies by a river}."],
    "travel": ["The {road|railway} runs along the {coast|river}.", "The holidays {have begun|are here}."],
    "sports": ["The {big game|championship} is {near|on Sunday}.", "The coach {is proud of|trains} the team."],
    "savings": ["Saving {money|up} takes {time|patience}.", "{The bank is|The piggy bank stands} around the corner."],
    "reading": ["The library is {quiet|open all week}.", "{Reading is fun|Everyone loves a good story}."],
    "building": ["The {builders|workers} start early.", "A new {house|bridge} is {being built|almost ready}."],
    "garden": ["The garden is {green|in full bloom}.", "{The sun is shining on|It rained on} the garden."],
    "factory": ["The factory runs {day and night|all week}.", "The {machines|workers} never {stop|rest} for long."],
    "party": ["{Balloons hang|Music plays} everywhere.", "{Everyone looks forward to|It is time for} the party."],
    "wages": ["{Work|The shift} starts {early|at noon}.", "The {boss|manager} pays {every week|on time}."],
    "crafts": ["The {craft fair|workshop} is {popular|open}.", "{Handmade things|Good crafts} sell well."],
    "pets": ["The {animal shelter|pet shop} is {busy|open today}.", "{Pets need|Every animal needs} good care."],
}


@dataclass(frozen=True)
class Template:
    """One kind of problem. `unit` is what the answer counts: "$" for dollars, else words in the template language."""

    theme: str
    name: str
    numbers: str
    unit: str
    question: str
    solution: tuple[str, ...]


TEMPLATES: dict[str, Template] = {}


def _add(theme: str, name: str, numbers: str, unit: str, question: str, *solution: str) -> None:
    TEMPLATES[f"{theme}/{name}"] = Template(theme, name, numbers, unit, question, solution)


_add(
    "ages",
    "older",
    "a=4..15 b=2..9",
    "years",
    "@A is @a years old. @His {older|big} {@sibling|cousin|friend} @B is @b years older than @him. "
    "{What is the sum of their ages|How old are the two of them together}?",
    "@B is [a+b=c] years old.",
    "Together they are [a+c=d] years old.",
)
_add(
    "ages",
    "in-some-years",
    "a=3..12 k=2..4 b=2..9",
    "years old",
    "@A is @times_k {as old as|the age of} @his {little|younger} {@sibling|cousin|friend} @B, who is @a years old. "
    "{How old will @A be in @b years|What will @A's age be @b years from now}?",
    "@A is [a*k=c] years old now.",
    "In @b years @A will be [c+b=d] years old.",
)
_add(
    "ages",
    "parent",
    "a=5..12 b=2..8 k=2..4",
    "years",
    "@A is @a years old and @his @sibling @B is @b years older. Their @parent is @times_k as old as @B. "
    "{How many years older than @A is their @parent|What is the age difference between @A and the @parent}?",
    "@B is [a+b=c] years old.",
    "The @parent is [c*k=d] years old.",
    "The @parent is [d-a=e] years older than @A.",
)
_add(
    "ages",
    "years-ago",
    "a=9..20 b=2..6 k=2..4",
    "years old",
    "{Exactly @b|Just @b} years ago, @A was @times_k as old as @his {@sibling|cousin} @B. "
    "@B is {now @a years old|@a years old today}. {How old is @A now|What is @A's age today}?",
    "@b years ago @B was [a-b=c] years old.",
    "At that time @A was [c*k=d] years old.",
    "Now @A is [d+b=e] years old.",
)
_add(
    "ages",
    "generations",
    "a=4..9 k=4..6 b=20..30",
    "years",
    "@A is @a years old. @His @elder @B is @times_k {as old as @A|@A's age}. @His grandfather is @b years older "
    "than @B. {What is the sum of all three ages|How old are the three of them together}?",
    "@B is [a*k=c] years old.",
    "The grandfather is [c+b=d] years old.",
    "@A and @B are [a+c=e] years old together.",
    "All three are [e+d=f] years old together.",
)
_add(
    "ages",
    "average",
    "a=4..14 k=2..3 b=2..7",
    "years",
    "@A is @a years old. @His @sibling @B is @times_k {as old as @A|@A's age}. @His cousin @C is @b years younger "
    "than @B. What is the average age of the three {children|cousins|of them}?",
    "@B is [a*k=c] years old.",
    "@C is [c-b=d] years old.",
    "@A and @B are [a+c=e] years old together.",
    "All three are [e+d=f] years old together.",
    "The average age is [f/3=g] years.",
)

_add(
    "shopping",
    "change",
    "a=2..9 b=3..9 c=50..100/10",
    "$",
    "@A buys @a @goods for $@b each. @He {pays with|hands over} $@c. How much {change does @he get|money does @he get back}?",
    "The @goods cost [$a*b=d].",
    "@A gets back [$c-d=e].",
)
_add(
    "shopping",
    "two-kinds",
    "a=2..5 b=10..25 c=2..5 d=5..15",
    "$",
    "@A {wants|chooses} @a @clothes at $@b each and @c @goods at $@d each. "
    "{How much does @he pay in total|What is the total price}?",
    "The @clothes cost [$a*b=e].",
    "The @goods cost [$c*d=f].",
    "@A pays [$e+f=g] in total.",
)
_add(
    "shopping",
    "half-price",
    "a=20..80/4 b=2..4 c=3..15",
    "$",
    "A {coat|suit} costs $@a {at the mall|in town}, but today it is half price. @A buys @b of them "
    "and a {belt|tie|bag} for $@c. How much does @A {spend|pay}?",
    "One costs [$a/2=d] today.",
    "@b of them cost [$d*b=e].",
    "@A pays [$e+c=f] in total.",
)
_add(
    "shopping",
    "coupon",
    "a=2..5 b=10..25 c=2..5 d=5..12 e=5..20/5",
    "$",
    "@A puts @a @clothes for $@b each and @c @goods for $@d each {in the cart|in the basket}. "
    "A coupon takes $@e off the {bill|total}. How much does @A {pay|spend}?",
    "The @clothes cost [$a*b=f].",
    "The @goods cost [$c*d=g].",
    "Before the coupon it is [$f+g=h].",
    "With the coupon @A pays [$h-e=i].",
)

_add(
    "cooking",
    "eggs",
    "a=2..4 b=3..9 c=20..60/5",
    "eggs",
    "One {cake|pie|loaf} takes @a eggs. @A {bakes|makes} @b of them {for the family|for the bakery}. "
    "{How many eggs are left if @he starts with @c|@He has @c eggs at first. How many are left}?",
    "@A uses [a*b=d] eggs.",
    "There are [c-d=e] eggs left.",
)
_add(
    "cooking",
    "trays",
    "a=3..8 b=6..12 c=5..25",
    "@baked",
    "@A bakes @a trays with @b @baked on each. The {guests|children} eat @c of {them|the @baked}. "
    "How many @baked {are left|remain}?",
    "@A bakes [a*b=d] @baked.",
    "There are [d-c=e] @baked left.",
)
_add(
    "cooking",
    "boxes",
    "a=3..8 b=6..12 c=2..12 d=2..6",
    "boxes",
    "@A bakes @a batches of @b @baked. @He burns @c of them and packs the {rest|others} in boxes of @d. "
    "How many boxes does @he {fill|need}?",
    "@A bakes [a*b=e] @baked.",
    "There are [e-c=f] good @baked.",
    "@A fills [f/d=g] boxes.",
)
_add(
    "cooking",
    "soup",
    "a=2..6 b=2..4 c=2..6 d=2..4",
    "vegetables",
    "A pot of {soup|stew} takes @a @crop and @times_b as many {beans|mushrooms} as @crop. "
    "@A cooks @c pots on @day and @d pots {on Sunday|on the next day}. How many vegetables does @he {use|need}?",
    "The other vegetables are [a*b=e] for each pot.",
    "One pot takes [a+e=f] vegetables.",
    "@A cooks [c+d=g] pots.",
    "@A uses [f*g=h] vegetables.",
)

_add(
    "school",
    "rows",
    "a=3..8 b=4..9 c=2..12",
    "students",
    "A {classroom|school hall} has @a rows of @b desks. @c desks are empty {on @day|today}. "
    "How many students {are there|sit in the room}?",
    "There are [a*b=d] desks.",
    "There are [d-c=e] students.",
)
_add(
    "school",
    "supplies",
    "a=3..9 b=4..12 c=10..40 d=2..6",
    "@supply",
    "{Teacher|Principal} @A has @c @supply and buys @a packs of @b more. "
    "@He {shares|divides} all the @supply equally among @d classes. How many @supply does each class get?",
    "The packs hold [a*b=e] @supply.",
    "@A has [c+e=f] @supply.",
    "Each class gets [f/d=g] @supply.",
)
_add(
    "school",
    "museum",
    "a=15..40 b=15..40 c=2..8 d=2..9",
    "vans",
    "@a students from one {grade|class} and @b students from another go to the {museum|zoo} with @c teachers. "
    "Each van {holds|takes} @d people. How many vans does the school need?",
    "There are [a+b=e] students.",
    "There are [e+c=f] people.",
    "The school needs [f/d=g] vans.",
)
_add(
    "school",
    "test",
    "a=5..12 b=3..8 c=2..3 d=5..15 e=3..9",
    "points",
    "@A answers @a {questions|exercises} on the {math|history|science} test for @b points each and gets @e bonus points. "
    "@B gets @times_c as many points as @A in total, minus @d. How many points {is @B ahead of|more does @B have than} @A?",
    "@A gets [a*b=f] points for answers.",
    "@A has [f+e=g] points in total.",
    "@B gets [g*c=h] points at first.",
    "@B has [h-d=i] points in the end.",
    "@B is [i-g=j] points ahead.",
)

_add(
    "farm",
    "hens",
    "a=5..12 b=3..9 c=5..30",
    "eggs",
    "@A's @a hens lay @b eggs each {this week|in a week}. @He {sells|gives away} @c of the eggs. "
    "How many eggs {does @he keep|are left}?",
    "The hens lay [a*b=d] eggs.",
    "@A keeps [d-c=e] eggs.",
)
_add(
    "farm",
    "herd",
    "a=4..15 b=2..4 c=2..12",
    "animals",
    "Farmer @A has @a @animal and @times_b as many @animal2. {Then|Later} @he buys @c more @animal2. "
    "How many animals {live on the farm|does @he have}?",
    "At first there are [a*b=d] @animal2.",
    "Now there are [d+c=e] @animal2.",
    "There are [a+e=f] animals.",
)
_add(
    "farm",
    "harvest",
    "a=3..8 b=5..12 c=10..30 d=2..4",
    "$",
    "@A picks @b {crates|sacks} of @crop a day for @a days. @He {gives|donates} @c of them to {friends|a school} "
    "and sells the rest for $@d each. How much money does @A {earn|make}?",
    "@A picks [a*b=e] of them.",
    "There are [e-c=f] left to sell.",
    "@A earns [$f*d=g].",
)
_add(
    "farm",
    "hay",
    "a=3..8 b=2..5 c=3..8 d=2..5 e=2..4",
    "kilograms",
    "@a @animal eat @b kilograms of hay a day each, and @c @animal2 eat @d kilograms each. "
    "How much hay do {they all|the animals} eat in @e days?",
    "The @animal eat [a*b=f] kilograms a day.",
    "The @animal2 eat [c*d=g] kilograms a day.",
    "Together they eat [f+g=h] kilograms a day.",
    "In all they eat [h*e=i] kilograms.",
)
_add(
    "farm",
    "orchard",
    "a=3..6 b=4..9 c=2..4 d=5..20 e=2..6 i=2..6",
    "baskets",
    "An orchard has @a rows of @b {apple|cherry} trees. Each tree gives @c {pounds|buckets} of fruit. "
    "The birds eat @d of these, and @A packs the rest in baskets of @e. @He takes @i baskets home. "
    "How many baskets {are left|remain}?",
    "There are [a*b=f] trees.",
    "The trees give [f*c=g] of fruit.",
    "After the birds there is [g-d=h] of fruit.",
    "@A packs [h/e=j] baskets.",
    "There are [j-i=k] baskets left.",
)

_add(
    "travel",
    "two-legs",
    "a=2..5 b=20..40/5 c=5..40/5",
    "miles",
    "@A drives for @a hours at @b miles an hour. {Then|After lunch} @he drives @c more miles to {the coast|the city}. "
    "{How far does @he drive|How many miles is the trip}?",
    "First @A drives [a*b=d] miles.",
    "The trip is [d+c=e] miles.",
)
_add(
    "travel",
    "passengers",
    "a=15..40 b=5..14 c=6..20 d=2..12",
    "passengers",
    "A {train|bus|ferry} leaves with @a passengers. At the first {stop|port} @b get off and @c get on. "
    "At the second @d get off. How many passengers {are on board now|remain}?",
    "When @b get off there are [a-b=e] passengers.",
    "When @c get on there are [e+c=f] passengers.",
    "At the end there are [f-d=g] passengers.",
)
_add(
    "travel",
    "fuel",
    "a=3..8 b=10..20 c=2..6 e=2..9",
    "$",
    "A {car|van} needs one gallon of gas for @b miles. @A {plans|makes} a trip of @a days with @b miles each day "
    "and also buys @e spare gallons. Gas costs $@c a gallon. How much does the gas cost?",
    "The trip is [a*b=d] miles.",
    "The trip needs [d/b=f] gallons.",
    "@A buys [f+e=g] gallons.",
    "The gas costs [$g*c=h].",
)
_add(
    "travel",
    "hotel",
    "a=2..4 b=20..40/5 c=2..3 d=4..9 e=10..40/10",
    "$",
    "@A stays @a nights in a {hotel|hostel} for $@b a night. On each of the @a days @he eats @c meals for $@d each. "
    "The {train|bus} ticket costs $@e. How much does the {trip|holiday} cost?",
    "The nights cost [$a*b=f].",
    "@A eats [a*c=g] meals.",
    "The meals cost [$g*d=h].",
    "Nights and meals cost [$f+h=i].",
    "The trip costs [$i+e=j].",
)

_add(
    "sports",
    "goals",
    "a=3..25 b=2..4",
    "goals",
    "@A {scores|shoots} @a goals this @ball season. @B scores @times_b as many. "
    "How many goals do they {score together|have in all}?",
    "@B scores [a*b=c] goals.",
    "Together they score [a+c=d] goals.",
)
_add(
    "sports",
    "laps",
    "a=3..9 b=2..5 c=2..9 d=2..5",
    "laps",
    "@A {runs|swims} @a laps a day on @b days {of the week|each week}, and @c more laps on {Saturday|Sunday}. "
    "How many laps is that in @d weeks?",
    "On those days it is [a*b=e] laps.",
    "One week is [e+c=f] laps.",
    "In all it is [f*d=g] laps.",
)
_add(
    "sports",
    "season",
    "a=3..9 b=2..8 c=2..5",
    "points",
    "A @ball team gets 3 points for a win and 1 point for a draw. It {wins|has won} @a games and {draws|has drawn} @b. "
    "It loses @c points for {fouls|bad behavior}. How many points does the team have?",
    "The wins give [a*3=d] points.",
    "With the draws it is [d+b=e] points.",
    "In the end it has [e-c=f] points.",
)
_add(
    "sports",
    "tickets",
    "a=10..25 b=3..6 c=5..20 d=2..3 e=20..60/10",
    "$",
    "At the @ball game @a adults pay $@b each and @c children pay $@d each. The {club|team} spends $@e on the {field|hall}. "
    "How much money {is left|does it keep}?",
    "The adults pay [$a*b=f].",
    "The children pay [$c*d=g].",
    "Together they pay [$f+g=h].",
    "There is [$h-e=i] left.",
)
_add(
    "sports",
    "tournament",
    "a=2..5 b=3..8 c=2..4 d=2..8 e=2..6 f=2..9",
    "medals",
    "A @ball tournament has @a groups of @b teams. @c teams {stay home|do not come}. Each team brings @d players and "
    "@e of all the players are {ill|hurt}. Every other player gets a medal, and so do @f {coaches|referees}. "
    "How many medals {are needed|are there}?",
    "There are [a*b=g] teams.",
    "There come [g-c=h] teams.",
    "They bring [h*d=i] players.",
    "There play [i-e=j] players.",
    "There are [j+f=k] medals.",
)

_add(
    "savings",
    "gift",
    "a=5..15 b=3..8 c=60..150/10",
    "$",
    "@A wants {to buy|} @gift for $@c. @He saves $@a a week for @b weeks. How much {more does @he need|is still missing}?",
    "@A saves [$a*b=d].",
    "@A still needs [$c-d=e].",
)
_add(
    "savings",
    "weeks",
    "a=10..40 b=10..30 c=60..150/10 d=2..9",
    "weeks",
    "@gift costs $@c. @A has $@a, and {grandma|an aunt} gives @him $@b. {From now on|Then} @he saves $@d every week. "
    "After how many weeks can @he buy it?",
    "@A has [$a+b=e].",
    "@A still needs [$c-e=f].",
    "It takes [f/d=g] weeks.",
)
_add(
    "savings",
    "coins",
    "a=3..12 b=2..4 c=5..15 d=2..4",
    "coins",
    "@A has @a {silver|old} coins and @times_b as many {gold|new} coins. @B has @c coins more than @A has in all. "
    "How many coins do {the two|they} have together?",
    "@A has [a*b=e] of the second kind.",
    "@A has [a+e=f] coins.",
    "@B has [f+c=g] coins.",
    "Together they have [f+g=h] coins.",
)
_add(
    "savings",
    "bank",
    "a=20..60/5 b=5..15 c=2..6 d=10..30/5 e=2..4",
    "$",
    "@A has $@a in the bank and puts in $@b a month for @c months. @He takes out $@d for {shoes|a present}. "
    "@B has @times_e as much as @A has then, and @C has $@b less than @B. How much does @C have?",
    "@A puts in [$b*c=f].",
    "@A has [$a+f=g] at first.",
    "@A has [$g-d=h] then.",
    "@B has [$h*e=i].",
    "@C has [$i-b=j].",
)

_add(
    "reading",
    "pages-left",
    "a=5..20 b=3..8 c=100..200/10",
    "pages",
    "@A reads @a pages of a {novel|book} every {day|evening} for @b days. The {novel|book} has @c pages. "
    "How many pages are {left|still to read}?",
    "@A reads [a*b=d] pages.",
    "There are [c-d=e] pages left.",
)
_add(
    "reading",
    "days",
    "a=60..180/10 b=10..40 c=2..9 d=5..20",
    "days",
    "A {comic|book} has @a pages. @A reads @b pages on @day and @d pages {on the next day|after that}, then @c pages a day. "
    "How many more days does @he need?",
    "@A has read [b+d=e] pages.",
    "There are [a-e=f] pages left.",
    "@A needs [f/c=g] days.",
)
_add(
    "reading",
    "library",
    "a=4..9 b=8..15 c=10..30 d=5..20",
    "books",
    "A library has @a shelves with @b books each. It lends out @c books and {buys|receives} @d new ones. "
    "How many books are {in the library|there} now?",
    "At first there are [a*b=e] books.",
    "Then there are [e-c=f] books.",
    "Now there are [f+d=g] books.",
)
_add(
    "reading",
    "contest",
    "a=5..15 b=2..4 c=3..12 d=2..4",
    "books",
    "In a reading {contest|challenge}, @A reads @a books and @B reads @times_b as many. @C reads @c fewer than @B. "
    "{Next year|Next time} they want to read @times_d as many books as all three read now. How many books is that?",
    "@B reads [a*b=e] books.",
    "@C reads [e-c=f] books.",
    "@A and @B read [a+e=g] books.",
    "All three read [g+f=h] books.",
    "Next they want to read [h*d=i] books.",
)

_add(
    "building",
    "bricks",
    "a=3..9 b=5..15 c=5..20",
    "bricks",
    "A wall {needs|has} @a rows of @b bricks. {Another|Then} @c bricks break and must be {replaced|bought again}. "
    "How many bricks does @A {need|order}?",
    "The wall has [a*b=d] bricks.",
    "@A needs [d+c=e] bricks.",
)
_add(
    "building",
    "floors",
    "a=2..6 b=3..8 c=2..5 d=5..25",
    "windows",
    "A new {tower|hotel} has @a floors with @b rooms each, and each room has @c windows. "
    "@d windows are {already in|in place}. How many windows {are missing|must still be put in}?",
    "There are [a*b=e] rooms.",
    "There are [e*c=f] windows.",
    "There are [f-d=g] windows missing.",
)
_add(
    "building",
    "fence",
    "a=3..14 b=3..12 c=2..4",
    "$",
    "A {yard|playground} is @a meters long and @b meters wide. @A builds a fence {all around|around} it. "
    "A meter of fence costs $@c. How much does the fence cost?",
    "Two sides together are [a+b=d] meters.",
    "The fence is [d*2=e] meters.",
    "The fence costs [$e*c=f].",
)
_add(
    "building",
    "crew",
    "a=3..8 b=4..9 c=2..5 d=3..9 e=2..9",
    "planks",
    "@a workers lay @b planks each in the morning. In the afternoon @c workers {more come|join them} and all of them "
    "lay @d planks each. @e planks are {broken|too short}. How many good planks are laid?",
    "In the morning it is [a*b=f] planks.",
    "In the afternoon there are [a+c=g] workers.",
    "They lay [g*d=h] planks.",
    "In all it is [f+h=i] planks.",
    "There are [i-e=j] good planks.",
)

_add(
    "garden",
    "bouquets",
    "a=3..8 b=4..10 c=2..12 d=2..6",
    "bouquets",
    "@A's garden has @a rows of @b @plant. @He cuts @c {of them|@plant} {less than all|fewer than all} "
    "and ties {bouquets|bunches} of @d. How many does @he {tie|make}?",
    "There are [a*b=e] @plant.",
    "@A cuts [e-c=f] @plant.",
    "@A ties [f/d=g] bouquets.",
)
_add(
    "garden",
    "seeds",
    "a=20..60/5 b=2..15 c=2..6",
    "@plant",
    "@A plants @a {seeds|bulbs}. @b of them do not {grow|sprout}. @He gives {a friend|@B} half of the @plant that "
    "{grow|come up}. "
    "How many @plant does @A keep?",
    "There grow [a-b=d] @plant.",
    "@A keeps [d/2=e] @plant.",
)
_add(
    "garden",
    "beds",
    "a=4..12 b=2..4 c=3..9 d=2..8",
    "flowers",
    "@A plants @a @plant and @times_b as many @plant2. The {rabbits|snails} eat @c of the @plant2. "
    "@He then plants @d more @plant. How many flowers are in the garden?",
    "At first there are [a*b=e] @plant2.",
    "There are [e-c=f] @plant2 left.",
    "Now there are [a+d=g] @plant.",
    "There are [f+g=h] flowers.",
)
_add(
    "garden",
    "water",
    "a=3..9 b=2..5 c=3..9 d=2..4 e=2..6 f=2..7 g=5..20",
    "liters",
    "@A gives @a @plant @b liters of water each and @c @plant2 @d liters each a day. @He does this for @e days. "
    "{Then|After that} @he gives the lawn @f liters on each of @e days. @g liters {are rain|come from the rain}. "
    "How much tap water does @he use?",
    "The @plant get [a*b=h] liters a day.",
    "The @plant2 get [c*d=i] liters a day.",
    "All flowers get [h+i=j] liters a day.",
    "In @e days they get [j*e=l] liters.",
    "The lawn gets [f*e=m] liters.",
    "In all it is [l+m=n] liters.",
    "The tap water is [n-g=o] liters.",
)

_add(
    "factory",
    "defects",
    "a=4..12 b=4..12 c=2..15",
    "@product",
    "A machine makes @a @product an hour and runs for @b hours. @c of the @product {are broken|fail the check}. "
    "How many {good|working} @product are there?",
    "The machine makes [a*b=d] @product.",
    "There are [d-c=e] good @product.",
)
_add(
    "factory",
    "two-machines",
    "a=5..12 b=5..12 c=2..8",
    "@product",
    "One machine makes @a @product an hour, {another|a second one} makes @b. Both run for @c hours {on @day|today}. "
    "How many @product {do they make|are made}?",
    "Both make [a+b=d] @product an hour.",
    "In all they make [d*c=e] @product.",
)
_add(
    "factory",
    "shipping",
    "a=4..10 b=4..10 c=2..15 d=2..6 e=2..9",
    "$",
    "A {factory|plant} makes @a @product an hour for @b hours. @c are {broken|thrown away}. "
    "The rest go in boxes of @d, and {shipping|sending} a box costs $@e. How much does the {shipping|sending} cost?",
    "The factory makes [a*b=f] @product.",
    "There are [f-c=g] good @product.",
    "There are [g/d=h] boxes.",
    "The cost is [$h*e=i].",
)
_add(
    "factory",
    "shifts",
    "a=3..8 b=4..9 c=2..4 d=3..15 e=5..20 f=2..5",
    "@product",
    "In the {first|early} shift @a workers make @b @product each. The second shift makes @times_c as many, and the night "
    "shift makes @d fewer than the second one. @e @product are broken, and the rest are {shared|divided} equally "
    "among @f shops. How many @product does each shop get?",
    "The first shift makes [a*b=g] @product.",
    "The second shift makes [g*c=h] @product.",
    "The night shift makes [h-d=i] @product.",
    "Two shifts make [g+h=j] @product.",
    "All shifts make [j+i=l] @product.",
    "There are [l-e=m] good @product.",
    "Each shop gets [m/f=n] @product.",
)

_add(
    "party",
    "balloons",
    "a=3..9 b=4..12 c=2..15",
    "balloons",
    "@A buys @a packs of @b balloons for the {party|birthday}. @c of them {pop|burst}. How many balloons {are left|remain}?",
    "@A buys [a*b=d] balloons.",
    "There are [d-c=e] balloons left.",
)
_add(
    "party",
    "treats",
    "a=8..25 b=2..12 c=2..4 d=3..15",
    "@treat",
    "@A invites @a {friends|guests}, but @b {cannot come|stay home}. Everyone who comes gets @c @treat, and there "
    "are @d extra. "
    "How many @treat does @A {order|prepare}?",
    "There come [a-b=e] guests.",
    "They get [e*c=f] @treat.",
    "@A orders [f+d=g] @treat.",
)
_add(
    "party",
    "tables",
    "a=5..20 b=2..3 c=3..12 d=2..6 e=2..5",
    "tables",
    "@A invites @a {adults|relatives} and @times_b as many children to the {party|wedding}. @c {people|of them} do not come. "
    "@d people sit at each table, and there are @e more tables for {gifts|food}. How many tables are {there|needed}?",
    "@A invites [a*b=f] children.",
    "@A invites [a+f=g] people.",
    "There come [g-c=h] people.",
    "They sit at [h/d=i] tables.",
    "There are [i+e=j] tables.",
)
_add(
    "party",
    "cost",
    "a=5..12 b=3..6 c=4..9 d=2..5 e=5..15 f=2..4",
    "$",
    "For a {party|picnic} @A buys @a @treat at $@b each, @c {drinks|juices} at $@d each and {games|music} for $@e. "
    "@He splits the cost equally with {friends|others}, so @f people pay. How much does each one pay?",
    "The @treat cost [$a*b=g].",
    "The drinks cost [$c*d=h].",
    "Food and drinks cost [$g+h=i].",
    "In all it costs [$i+e=j].",
    "Each one pays [$j/f=l].",
)
_add(
    "party",
    "bags",
    "a=4..9 b=2..5 c=2..5 d=2..9 e=2..4 f=3..12",
    "$",
    "Each of @a {children|guests} at the party gets a bag with @b {candies|sweets} and @c {toys|stickers}. @A makes "
    "@d more bags. "
    "A thing in a bag costs $@e, and @he has a voucher for $@f. How much does @A pay for all the bags?",
    "A bag holds [b+c=g] things.",
    "There are [a+d=h] bags.",
    "There are [g*h=i] things.",
    "The things cost [$i*e=j].",
    "With the voucher @A pays [$j-f=k].",
)

_add(
    "wages",
    "shift",
    "a=8..20 b=3..8 c=5..30",
    "$",
    "@A earns $@a an hour as a {waiter|clerk|driver} and works @b hours. {A bonus|A tip} brings @him $@c more. "
    "How much does @he {earn|make}?",
    "The hours pay [$a*b=d].",
    "@A earns [$d+c=e].",
)
_add(
    "wages",
    "two-jobs",
    "a=6..12 b=3..8 c=6..12 d=2..6",
    "$",
    "@A {babysits|cleans} for $@a an hour and {mows lawns|walks dogs} for $@c an hour. This week @he does @b hours "
    "of the first "
    "and @d hours of the second. How much does @he {earn|make}?",
    "The first job pays [$a*b=e].",
    "The second job pays [$c*d=f].",
    "@A earns [$e+f=g].",
)
_add(
    "wages",
    "taxes",
    "a=6..12 b=3..8 c=2..3 d=10..30/5",
    "$",
    "@A earns $@a an hour and works @b hours a day for @c days. Taxes take $@d. How much {is left|does @he take home}?",
    "@A works [b*c=e] hours.",
    "@A earns [$e*a=f].",
    "There is [$f-d=g] left.",
)
_add(
    "wages",
    "overtime",
    "a=5..9 b=4..8 c=2..4 d=2..5 e=10..30/5 f=2..4",
    "$",
    "@A earns $@a an hour for @b hours on @day. {Overtime|Extra work} pays @times_c as much an hour, and @he does @d "
    "hours of it. "
    "@He {spends|pays} $@e for {food|rent} and {saves|keeps} the rest, which @he {splits|divides} equally among @f accounts. "
    "How much goes into each account?",
    "The hours pay [$a*b=g].",
    "An extra hour pays [$a*c=h].",
    "The extra hours pay [$h*d=i].",
    "@A earns [$g+i=j].",
    "There is [$j-e=l] left.",
    "Each account gets [$l/f=m].",
)

_add(
    "crafts",
    "beads",
    "a=3..9 b=5..12 c=5..30",
    "beads",
    "@A makes @a @craft with @b beads {each|on each}. @He {has|owns} @c beads more than @he needs. "
    "How many beads does @he have at first?",
    "@A needs [a*b=d] beads.",
    "@A has [d+c=e] beads at first.",
)
_add(
    "crafts",
    "profit",
    "a=4..10 b=5..15 c=10..40/5",
    "$",
    "@A makes @a @craft and sells them for $@b each at the {fair|market}. The {materials|tools} cost $@c. "
    "{What is @his profit|How much profit does @he make}?",
    "The @craft bring [$a*b=d].",
    "The profit is [$d-c=e].",
)
_add(
    "crafts",
    "pairs",
    "a=3..8 b=2..5 c=2..4 d=2..12 e=2..3",
    "hours",
    "@A makes @a @craft a week for @b weeks. @B makes @times_c as many, but @d of them {break|go wrong}. "
    "Each good one {takes|needs} @e hours of {painting|polishing}. How many hours of this does @B's work need?",
    "@A makes [a*b=f] @craft.",
    "@B makes [f*c=g] @craft.",
    "@B has [g-d=h] good @craft.",
    "They need [h*e=i] hours.",
)
_add(
    "crafts",
    "market",
    "a=3..8 b=2..4 c=2..6 d=3..6 e=10..30/5 f=2..4",
    "$",
    "@A brings @a @craft to the {fair|market}, and @B brings @times_b as many. They do not sell @c of them. "
    "Each one sells for $@d. They pay $@e for the {stall|tent} and {share|split} the rest among @f {people|helpers}. "
    "How much does each one get?",
    "@B brings [a*b=g] @craft.",
    "They bring [a+g=h] @craft.",
    "They sell [h-c=i] @craft.",
    "They take in [$i*d=j].",
    "There is [$j-e=l] left.",
    "Each one gets [$l/f=m].",
)

_add(
    "pets",
    "food",
    "a=3..9 b=2..5 c=3..9 d=5..20",
    "cans",
    "@A's @a @pet eat @b cans of food a day {each|for each of them}. How many cans do they eat in {one week|a week}?",
    "They eat [a*b=e] cans a day.",
    "In a week they eat [e*7=f] cans.",
)
_add(
    "pets",
    "shelter",
    "a=10..30 b=10..30 c=3..15 d=2..9",
    "animals",
    "A shelter {has|takes care of} @a @pet and @b @pet2. {Families|Visitors} adopt @c of them, and then @d new animals come. "
    "How many animals are there now?",
    "At first there are [a+b=e] animals.",
    "Then there are [e-c=f] animals.",
    "Now there are [f+d=g] animals.",
)
_add(
    "pets",
    "walks",
    "a=2..6 b=2..3 c=5..10 d=2..4 e=5..20/5 f=2..5",
    "$",
    "@A walks @a {dogs|puppies} @times_b a day and gets $@d for each walk. @He works @c days and {buys|gets} leashes for $@e. "
    "@He also gets $@f a day as a bonus. How much does @A have in the end?",
    "It is [a*b=g] walks a day.",
    "They pay [$g*d=h] a day.",
    "With the bonus it is [$h+f=i] a day.",
    "In all it is [$i*c=j].",
    "@A has [$j-e=l] in the end.",
)
_add(
    "pets",
    "vet",
    "a=2..6 b=2..3 c=3..6 d=2..6 e=4..8 f=2..9 g=2..4",
    "$",
    "A vet {treats|checks} @a @pet and @times_b as many @pet2. It costs $@c for each of the @pet and $@d for each of "
    "the @pet2. "
    "@A also buys @e {toys|bones} for $@g each and has a coupon for $@f. {What is @A's whole bill|How much is the "
    "whole bill}?",
    "There are [a*b=h] @pet2.",
    "The @pet cost [$a*c=i].",
    "The @pet2 cost [$h*d=j].",
    "All animals cost [$i+j=l].",
    "The toys cost [$e*g=m].",
    "Together it is [$l+m=n].",
    "The bill is [$n-f=o].",
)
_add(
    "pets",
    "aquarium",
    "a=3..8 b=2..4 c=2..8 d=2..9 e=2..9 f=2..4 g=2..3 h=5..20",
    "$",
    "A pet shop has @a red fish and @times_b as many blue fish. It {gets|buys} @c more red and @d more blue ones, "
    "but @e fish die. "
    "Each fish eats @f {flakes|worms} a day. Food for one fish costs $@g. The shop {has|holds} $@h in food money. "
    "{How much more money does it need|How much money is missing} to buy food for all fish for @f days?",
    "At first there are [a*b=i] blue fish.",
    "Now there are [i+d=j] blue fish.",
    "Now there are [a+c=l] red fish.",
    "There are [j+l=m] fish.",
    "There are [m-e=n] fish left.",
    "A day of food costs [$n*g=o].",
    "All days cost [$o*f=p].",
    "The shop needs [$p-h=q] more.",
)
_add(
    "school",
    "fair",
    "a=3..6 b=4..8 c=2..3 d=3..9 e=2..4 f=5..15 g=10..40/5 h=2..4",
    "$",
    "At the school fair @a students sell @b {bottles|cups} of lemonade each and @times_c as much tea "
    "all together, but @d in all are {spilled|given away}. Each of the others costs $@e. A {parent|teacher} gives "
    "$@f more. The school "
    "pays $@g for {tables|tents} and shares the rest equally among @h {classes|clubs}. How much does each one get?",
    "The students sell [a*b=i] of lemonade.",
    "They sell [i*c=j] of tea.",
    "That is [i+j=l] in all.",
    "There are [l-d=m] paid.",
    "They bring [$m*e=n].",
    "With the gift it is [$n+f=o].",
    "There is [$o-g=p] left.",
    "Each one gets [$p/h=q].",
)
