"""Stop words: words that say little by themselves, by language.

Articles, pronouns, prepositions, conjunctions, auxiliary verbs and the commonest adverbs, without
diacritics and in lower case, as words are compared. What is elided before an apostrophe ("l'",
"d'") stands as the letters that are left.
"""

from __future__ import annotations

from functools import cache

_WORDS = {
    "en": """
        a about above after again against all am an and any are as at be because been before being
        below between both but by can could did do does doing don down during each few for from
        further had has have having he her here hers herself him himself his how i if in into is it
        its itself just ll me might more most must my myself no nor not of off on once only or
        other our ours ourselves out over own re s same shall she should so some such t than that
        the their theirs them themselves then there these they this those through to too under
        until up upon ve very was we were what when where which while who whom why will with would
        you your yours yourself yourselves""",
    "fr": """
        a afin ai aie ainsi alors apres as au aucun aucune aussi autre autres aux avaient avais
        avait avant avec avez avons ayant c ca car ce ceci cela celle celles celui cependant ces
        cet cette ceux chaque chez comme comment d dans de depuis des deux doit donc dont du durant
        elle elles en encore entre es est et etaient etais etait etant ete etes etre eu eux font
        ici il ils j je jusque l la le les leur leurs lors lorsque lui m ma mais me meme memes mes
        moi moins mon n ne ni non nos notre nous on ont ou par parce pas pendant peu peut plus pour
        pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si sinon son
        sont sous suis sur t ta tandis te tes toi ton tous tout toute toutes tres tu un une vers
        voici voila vos votre vous y""",
    "de": """
        ab aber als also am an andere anderen anderer anderes auch auf aus bei bereits bevor bin
        bis bist da dabei dadurch dafur dagegen daher dahin damit danach dann daran darauf darf das
        dass davon davor dazu dein deine deinem deinen deiner dem den denen denn der deren des
        dessen deshalb dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein
        eine einem einen einer eines einige er es etwas euch euer eure eurem euren eurer fur gegen
        gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem
        ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jene jenem jenen jener
        jenes jetzt kann kein keine keinem keinen keiner konnen konnte machen man mehr mein meine
        meinem meinen meiner mich mir mit muss mussen nach nachdem nein nicht nichts noch nun nur
        ob oder ohne sehr seid sein seine seinem seinen seiner seit selbst sich sie sind so sogar
        solche soll sollen sollte sondern sonst soweit sowie um und uns unser unsere unserem
        unseren unserer unter viel vom von vor wann war waren warum was weg weil weiter welche
        welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wollen
        wurde wurden zu zum zur zwar zwischen""",
    "es": """
        a al algo algun alguna algunas alguno algunos ante antes aquel aquella aquellas aquello
        aquellos aqui asi aun aunque bajo bien cada como con contra cual cuales cuando de del desde
        donde dos durante e el ella ellas ello ellos en entre era eran eres es esa esas ese eso
        esos esta estaba estan estar estas este esto estos estoy fue fueron ha hace hacia han hasta
        hay la las le les lo los mas me mi mia mias mientras mio mios mis mismo mucho muchos muy
        nada ni no nos nosotras nosotros nuestra nuestras nuestro nuestros o os otra otras otro
        otros para pero poco por porque pues que quien quienes se sea segun ser si sido sin sino
        sobre sois solo somos son soy su sus suya suyo tal tambien tampoco tan tanto te tenia tiene
        tienen ti toda todas todo todos tras tu tus tuya tuyo un una unas uno unos usted ustedes
        vosotras vosotros vuestra vuestro y ya yo""",
    "it": """
        a abbia abbiamo ad agli ai al alla alle allo altra altre altri altro anche ancora avere
        aveva avevano avete c che chi ci cio come con contro cosa cosi cui d da dagli dai dal dalla
        dalle dallo degli dei del della delle dello dentro di dopo dove e ed era erano essere fa
        fino fra fu furono gia gli ha hai hanno ho i il in io l la le lei li lo loro lui ma me
        mentre mi mia mie miei mio molto ne negli nei nel nella nelle nello no noi non nostra
        nostre nostri nostro o od ogni per perche piu poi poiche pero qual quale quali quando
        quanto quella quelle quelli quello questa queste questi questo qui s se sei senza si sia
        siamo siete sono sopra sotto sta stato su sua sue sugli sui sul sulla sulle sullo suo suoi
        te tra tu tua tue tuo tuoi tutta tutte tutti tutto un una uno v vi voi vostra vostre vostri
        vostro""",
    "pt": """
        a ainda alem algum alguma algumas alguns ante antes ao aos apos aquela aquelas aquele
        aqueles aquilo as assim ate cada com como contra cuja cujo da das de dela delas dele deles
        depois desde dessa desse desta deste do dos durante e ela elas ele eles em embora entre era
        eram essa essas esse esses esta estao estas estava este estes estou eu foi foram ha isso
        isto ja la lhe lhes lo mais mas me mesmo meu meus minha minhas muito muitos na nas nao nem
        nessa nesse nesta neste no nos nossa nossas nosso nossos num numa o onde os ou outra outras
        outro outros para pela pelas pelo pelos perante pois por porque quais qual quando quanto
        que quem se seja sem ser seu seus sido sim so sob sobre somos sou sua suas tal tambem tao
        te tem tenho ter teu teus ti tinha toda todas todo todos tu tua tuas um uma umas uns voce
        voces vos""",
    "nl": """
        aan af al alle alleen als altijd ander andere ben bij binnen buiten daar dan dat de der
        deze die dit doch doen door dus een eens en er ge geen geweest haar had hadden heb hebben
        heeft hem hen het hier hij hoe hun iemand iets ik in is ja je jij jou jouw jullie kan kon
        kunnen maar me meer men met mij mijn moet moeten na naar niet niets nog nu of om omdat
        onder ons onze ook op over reeds s sinds t te tegen ten ter toch toen tot tussen u uit uw
        van vanaf veel voor waar waarom wanneer want waren was wat we wel welk welke werd werden
        wezen wie wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou zouden""",
    "sv": """
        alla allt an andra annan annat att av bara bli blir blev da dar dem den denna deras dess
        dessa det detta dig din dina ditt dock du efter ej eller en er era ert ett fast for fran ga
        genom gor ha hade han hans har henne hennes hon honom hur i icke ifran in ingen inget inom
        inte ja jag kan kom kunde man med mellan men mig min mina mitt mot mycket nagon nagot nagra
        nar ni nu och ocksa om oss pa sa sadan samma samt sedan sig sin sina sitt sjalv ska skall
        skulle som till under upp ut utan vad var vara varit vart vem vi vid vilka vilken vilket
        vill""",
    "da": """
        ad af al alle alt anden at bare begge blev blive bliver da de dem den denne der deres det
        dette dig din dine disse dit dog du efter eller en end er et fik for fra far gor ham han
        hans har have havde hen hende hendes her hos hun hvad hvem hver hvilken hvis hvor hvordan
        hvorfor i ikke ind ingen intet jeg jer jeres jo kan kom kun kunne man mange med meget
        mellem men mig min mine mit mod ned nej nogen noget nogle nu nar og ogsa om op os over pa
        sa sadan samme selv sig sin sine sit skal skulle som til ud uden under var ved vi vil ville
        vor vore vores vaere vaeret""",
    "no": """
        alle at av bade bare begge ble bli blir blitt da de deg dem den denne der dere deres det
        dette di din dine disse ditt du eller en enn er et ett etter for fordi fra fa far for ha
        hadde ham han hans har henne hennes her hos hun hva hvem hver hvilke hvilken hvis hvor
        hvordan hvorfor i ikke ingen inn ja jeg kan kom kun kunne man mange med meg meget mellom
        men mer mi min mine mitt mot mye na nar nei ned noe noen nok og ogsa om opp oss over pa sa
        samme seg selv si sin sine sitt skal skulle slik som til um under ut uten vaere vaert var
        vare ved vi vil ville vart""",
}
_SAME = {"pt-br": "pt", "nb": "no"}

LANGUAGES = frozenset(_WORDS) | frozenset(_SAME)
"""The languages whose stop words are known."""


@cache
def stop_words(language: str) -> frozenset[str]:
    """The stop words of a language; none of one that isn't in LANGUAGES."""
    return frozenset(_WORDS.get(_SAME.get(language, language), "").split())
